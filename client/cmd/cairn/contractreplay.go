package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/node/sim"
)

func replayCommand(s *session) *cobra.Command {
	var name, module, manifest, args string
	var from uint64
	cmd := &cobra.Command{
		Use:   "replay --contract NAME --wasm NEW.wasm",
		Short: "Say what another version would have made of a contract's real history",
		Long: `Say what another version would have made of a contract's real history. The history is
read from the ledger: the deployment, calls, upgrades and controls, timers, and the
events that a version subscribes to. It is run off chain twice: with the code the
contract had, which has to append what the ledger has and leave its state (up to
1,000 keys are held to receipts); and with the new one. What differs is printed; the
ledger learns nothing.

Without --from the new version is deployed in the place of the first one, with its
arguments. With --from INDEX it takes over as an upgrade right before the block of
that entry; --args are its migration's. What others did stays as it was. Calls that
the ledger refused are not in its log, and are not tried. A contract that calls others
cannot be replayed.

Exit 0: nothing differs. Exit 1: something does, or it could not be found out. More or
less gas is no difference.`,
		Example: "  cairn contract replay --contract parking --wasm parking.wasm --manifest manifest.json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if name == "" || module == "" {
				return usageError{errors.New("needs --contract NAME and --wasm FILE")}
			}
			r, err := s.replay(cmd, name, module, manifest, from, []byte(args))
			if err != nil {
				return err
			}
			if s.json {
				err = s.printJSON(r)
			} else {
				err = s.showReplay(r)
			}
			if err == nil && !r.Same {
				err = fmt.Errorf("the new version differs: entries %d, keys of the state %d", len(r.Entries), len(r.State))
			}
			return err
		},
	}
	cmd.Flags().StringVar(&name, "contract", "", "name or address of the contract")
	cmd.Flags().StringVar(&module, "wasm", "", "WebAssembly module of the new version")
	cmd.Flags().StringVar(&manifest, "manifest", "", "its manifest; the deployed one without it")
	cmd.Flags().Uint64Var(&from, "from", 0, "entry before whose block the new version takes over; the deployment without it")
	cmd.Flags().StringVar(&args, "args", "", "arguments of the new version's migration, a JSON object; with --from")
	return cmd
}

// replayReport is what a replay came to.
type replayReport struct {
	Contract  string           `json:"contract"`
	Address   protocol.Address `json:"address"`
	Since     uint64           `json:"since"` // entry of the deployment
	From      uint64           `json:"from"`  // entry that the new version takes over at
	Height    uint64           `json:"height"`
	LogSize   uint64           `json:"logSize"`
	Confirmed confirmed        `json:"confirmed"`
	Same      bool             `json:"same"`
	Deployed  replaySums       `json:"deployed"`
	New       replaySums       `json:"new"`
	Entries   []entryDiff      `json:"entries"` // that the two made something else of
	State     []stateDiff      `json:"state"`   // keys that end otherwise
}

// replaySums count what one version did.
type replaySums struct {
	Version     string `json:"version"`
	Deliveries  int    `json:"deliveries"` // of events and timers, that succeeded
	Calls       int    `json:"calls"`      // that succeeded
	Again       int    `json:"again"`      // deliveries that were refused and tried again
	Emitted     int    `json:"emitted"`
	DeadLetters int    `json:"deadLetters"` // at the end
	Keys        int    `json:"keys"`
	Timers      int    `json:"timers"` // that wait
	Gas         uint64 `json:"gas"`
}

// entryDiff is an entry of which two versions made something else. A nil
// outcome is of a version that did not get it.
type entryDiff struct {
	Index    uint64        `json:"index"`
	Kind     string        `json:"kind"`
	Deployed *replayedMade `json:"deployed"`
	New      *replayedMade `json:"new"`
}

// replayedMade is what a version made of an entry.
type replayedMade struct {
	Code      string            `json:"code"`
	GuestCode uint32            `json:"guestCode,omitempty"`
	Reason    string            `json:"reason,omitempty"`
	Emitted   []replayedEmitted `json:"emitted,omitempty"`
}

type replayedEmitted struct {
	Type    string          `json:"type"`
	Subject string          `json:"subject,omitempty"`
	Data    json.RawMessage `json:"data"`
	timeNs  int64
}

func (e *replayedEmitted) same(o *replayedEmitted) bool {
	return e.Type == o.Type && e.Subject == o.Subject && e.timeNs == o.timeNs && bytes.Equal(e.Data, o.Data)
}

func (m *replayedMade) same(o *replayedMade) bool {
	if m == nil || o == nil {
		return m == o
	}
	return m.Code == o.Code && m.GuestCode == o.GuestCode &&
		slices.EqualFunc(m.Emitted, o.Emitted, func(a, b replayedEmitted) bool { return a.same(&b) })
}

// stateDiff is a key whose values differ; a nil value is of a key that is
// absent.
type stateDiff struct {
	Key      string  `json:"key"` // in hex, as are the values
	Deployed *string `json:"deployed"`
	New      *string `json:"new"`
}

func (s *session) replay(cmd *cobra.Command, name, module, manifest string, from uint64, args []byte) (*replayReport, error) {
	with := sim.Version{Args: args}
	var err error
	if with.Wasm, err = os.ReadFile(module); err != nil {
		return nil, err
	}
	l, err := s.connect()
	if err != nil {
		return nil, err
	}
	if with.Manifest, err = s.newManifest(cmd, l, name, manifest); err != nil {
		return nil, err
	}
	c, err := checkModule(module, with.Wasm, with.Manifest)
	if err == nil {
		err = c.refusal
	}
	if err != nil {
		return nil, err
	}
	h, err := readHistory(cmd.Context(), l, name, c.manifest, progressTo(cmd.ErrOrStderr()))
	if err != nil {
		return nil, err
	}
	was, would, err := sim.Replay(&h.History, from, with)
	if err != nil {
		return nil, replayFailed(err)
	}
	report := compare(was, would)
	if report.Confirmed, err = h.confirm(cmd.Context(), was.State); err != nil {
		return nil, err
	}
	report.Contract, report.Address, report.Since = h.contract.Name, h.contract.Address, h.contract.Since
	report.From, report.Height, report.LogSize = max(from, h.contract.Since), h.Height, h.Size
	report.Deployed.Version, report.New.Version = h.contract.Version, c.manifest.Version
	return report, nil
}

// progressTo says every few seconds how much of a log has been read.
func progressTo(w io.Writer) func(done, all uint64) {
	said := time.Now()
	return func(done, all uint64) {
		if time.Since(said) > 3*time.Second {
			said = time.Now()
			fmt.Fprintf(w, "read %s of %s entries\n", grouped(done), grouped(all))
		}
	}
}

// newManifest is the file given, or what the contract has.
func (s *session) newManifest(cmd *cobra.Command, l *ledger, name, file string) ([]byte, error) {
	if file != "" {
		return os.ReadFile(file)
	}
	contract, err := named(cmd, l, name)
	if err != nil {
		return nil, err
	}
	receipt, err := l.StateReceipt(cmd.Context(), sim.ManifestKey(contract.ManifestHash), 0)
	if err != nil {
		return nil, err
	}
	return receipt.State.Value, nil
}

// replayFailed says what a person can do about a history that does not hold.
func replayFailed(err error) error {
	var diverged *sim.Diverged
	if errors.As(err, &diverged) {
		return fmt.Errorf("the deployed code does not come to what the ledger has, so nothing can be said about another: %w\n"+
			"Another contract has called this one, or taken the gas of its blocks; or this program runs other rules than the ledger", err)
	}
	return err
}

// compare tells what differs.
func compare(was, would *sim.Replayed) *replayReport {
	r := &replayReport{Entries: []entryDiff{}, State: []stateDiff{}}
	first, second := made(was, &r.Deployed), made(would, &r.New)
	all := sortedIndexes(first, second)
	for _, index := range all {
		a, b := first[index], second[index]
		kind := "entry"
		if a != nil {
			kind = a.kind
		} else if b != nil {
			kind = b.kind
		}
		if d := (entryDiff{Index: index, Kind: kind, Deployed: a.outcome(), New: b.outcome()}); !d.Deployed.same(d.New) {
			r.Entries = append(r.Entries, d)
		}
	}
	for _, key := range sortedKeys(union(was.State, would.State)) {
		a, hadA := was.State[key]
		b, hadB := would.State[key]
		if hadA != hadB || !bytes.Equal(a, b) {
			r.State = append(r.State, stateDiff{hex.EncodeToString([]byte(key)), hexOf(a, hadA), hexOf(b, hadB)})
		}
	}
	r.Same = len(r.Entries) == 0 && len(r.State) == 0 && was.Timers == would.Timers && slices.Equal(was.Dead, would.Dead)
	return r
}

// madeOf is what a version made of one entry.
type madeOf struct {
	kind string
	replayedMade
}

func (m *madeOf) outcome() *replayedMade {
	if m == nil {
		return nil
	}
	return &m.replayedMade
}

// made sums up the runs by entry: of one that was redelivered, the last code
// and all that it led to.
func made(r *sim.Replayed, sums *replaySums) map[uint64]*madeOf {
	sums.DeadLetters, sums.Keys, sums.Timers = len(r.Dead), len(r.State), r.Timers
	by := map[uint64]*madeOf{}
	for i := range r.Runs {
		run := &r.Runs[i]
		sums.Gas += run.Gas
		sums.Emitted += len(run.Emitted)
		switch {
		case run.Again:
			sums.Again++
			continue
		case run.Code != protocol.CodeOK:
		case run.Kind == "event" || run.Kind == "timer":
			sums.Deliveries++
		case run.Kind == "call":
			sums.Calls++
		}
		if (run.Kind == "init" || run.Kind == "migrate") && len(run.Emitted) == 0 {
			continue // only one of the two may have any
		}
		m := by[run.Index]
		if m == nil {
			m = &madeOf{kind: run.Kind}
			by[run.Index] = m
		}
		m.Code, m.GuestCode, m.Reason = run.Code.Name(), run.GuestCode, ""
		if n := len(run.Log); n > 0 && run.Code != protocol.CodeOK {
			m.Reason = run.Log[n-1]
		}
		for _, e := range run.Emitted {
			m.Emitted = append(m.Emitted, replayedEmitted{e.Type, e.Subject, json.RawMessage(e.Data), e.TimeNs})
		}
	}
	return by
}

func hexOf(value []byte, there bool) *string {
	if !there {
		return nil
	}
	text := hex.EncodeToString(value)
	return &text
}

func union(a, b map[string][]byte) map[string][]byte {
	out := make(map[string][]byte, len(a))
	for _, m := range [...]map[string][]byte{a, b} {
		for key := range m {
			out[key] = nil
		}
	}
	return out
}

func sortedIndexes(maps ...map[uint64]*madeOf) []uint64 {
	var all []uint64
	for _, m := range maps {
		for index := range m {
			all = append(all, index)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
