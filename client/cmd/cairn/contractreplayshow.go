package main

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// Bounds of what a person is shown of a replay; --json has all of it.
const (
	shownDiffs = 10
	shownBytes = 48 // of a key or a value
)

func (s *session) showReplay(r *replayReport) error {
	fmt.Fprintf(s.out, "contract   %s %s, since entry %s\n", r.Contract, r.Address, grouped(r.Since))
	fmt.Fprintf(s.out, "history    %s entries, to height %s", grouped(r.LogSize-r.Since), grouped(r.Height))
	if r.From > r.Since {
		fmt.Fprintf(s.out, "; the new version from the block of entry %s on", grouped(r.From))
	}
	fmt.Fprintf(s.out, "\nconfirmed  run again, the deployed code appends what the ledger has; %s of its %s keys are the ledger's, proven\n\n",
		grouped(uint64(r.Confirmed.Checked)), grouped(uint64(r.Confirmed.Keys)))
	line := func(cells ...any) {
		fmt.Fprintln(s.out, strings.TrimRight(fmt.Sprintf("%-14s  %14s  %14s  %s", cells...), " "))
	}
	line("", "DEPLOYED", "NEW", "")
	line("version", r.Deployed.Version, r.New.Version, "")
	for _, row := range [...]struct {
		name string
		a, b int
	}{
		{"delivered", r.Deployed.Deliveries, r.New.Deliveries}, {"calls", r.Deployed.Calls, r.New.Calls},
		{"tried again", r.Deployed.Again, r.New.Again}, {"emitted", r.Deployed.Emitted, r.New.Emitted},
		{"dead letters", r.Deployed.DeadLetters, r.New.DeadLetters}, {"state keys", r.Deployed.Keys, r.New.Keys},
		{"timers waiting", r.Deployed.Timers, r.New.Timers},
	} {
		mark := ""
		if row.a != row.b {
			mark = fmt.Sprintf("%+d", row.b-row.a)
		}
		line(row.name, grouped(uint64(row.a)), grouped(uint64(row.b)), mark)
	}
	line("gas", grouped(r.Deployed.Gas), grouped(r.New.Gas), share(r.Deployed.Gas, r.New.Gas))
	fmt.Fprintln(s.out)
	if r.Same {
		_, err := fmt.Fprintln(s.out, "nothing differs")
		return err
	}
	s.showEntryDiffs(r.Entries, r.LogSize)
	s.showStateDiffs(r.State)
	return nil
}

// share is how much more or less b is than a, in percent with one place.
func share(a, b uint64) string {
	if a == 0 || a == b {
		return ""
	}
	sign, more := "+", b-a
	if b < a {
		sign, more = "-", a-b
	}
	return fmt.Sprintf("%s%d.%d %%", sign, more*100/a, more*1000/a%10)
}

func (s *session) showEntryDiffs(diffs []entryDiff, logSize uint64) {
	for i := range diffs[:min(len(diffs), shownDiffs)] {
		d := &diffs[i]
		where := "entry " + strconv.FormatUint(d.Index, 10)
		if d.Index >= logSize {
			where = "only with the new version"
		}
		fmt.Fprintf(s.out, "%s, %s\n", where, d.Kind)
		s.showMade("-", d.Deployed)
		s.showMade("+", d.New)
	}
	if more := len(diffs) - shownDiffs; more > 0 {
		fmt.Fprintf(s.out, "... and %s entries more; --json lists them\n", grouped(uint64(more)))
	}
}

func (s *session) showMade(sign string, m *replayedMade) {
	switch {
	case m == nil:
		fmt.Fprintf(s.out, "  %s does not get it\n", sign)
		return
	case m.GuestCode != 0:
		fmt.Fprintf(s.out, "  %s %s with its code %d: %s\n", sign, m.Code, m.GuestCode, m.Reason)
	case m.Code != "OK":
		fmt.Fprintf(s.out, "  %s %s: %s\n", sign, m.Code, m.Reason)
	case len(m.Emitted) == 0:
		fmt.Fprintf(s.out, "  %s done, emits nothing\n", sign)
	}
	for i := range m.Emitted {
		fmt.Fprintf(s.out, "  %s emits %s %q %s\n", sign, m.Emitted[i].Type, m.Emitted[i].Subject, m.Emitted[i].Data)
	}
}

func (s *session) showStateDiffs(diffs []stateDiff) {
	if len(diffs) > 0 {
		fmt.Fprintln(s.out, "state at the end")
	}
	for i := range diffs[:min(len(diffs), shownDiffs)] {
		d := &diffs[i]
		fmt.Fprintf(s.out, "  %s\n    - %s\n    + %s\n", shownKey(d.Key), shownValue(d.Deployed), shownValue(d.New))
	}
	if more := len(diffs) - shownDiffs; more > 0 {
		fmt.Fprintf(s.out, "... and %s keys more; --json lists them\n", grouped(uint64(more)))
	}
}

// shownKey quotes a key, which often has words in it.
func shownKey(text string) string {
	key, err := hex.DecodeString(text)
	if err != nil {
		return text
	}
	return fmt.Sprintf("%q", key)
}

func shownValue(value *string) string {
	switch {
	case value == nil:
		return "absent"
	case len(*value) > 2*shownBytes:
		return (*value)[:2*shownBytes] + fmt.Sprintf("... (%d bytes)", len(*value)/2)
	}
	return *value
}
