package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/contracts/abi"
	"github.com/cairn-ledger/cairn/node/sim"
)

func checkCommand(s *session) *cobra.Command {
	var manifest string
	cmd := &cobra.Command{
		Use:   "check FILE.wasm",
		Short: "Say whether a ledger would take a module, and what it uses of each limit",
		Long: `Say whether a ledger would take a module, and what it uses of each limit. The rules
are those of a deployment: the module is deployed on a ledger in memory. One that
would be refused is exit 1, with the rule and the function that breaks it.`,
		Args: exactly(1, "a WebAssembly module"),
		RunE: func(_ *cobra.Command, args []string) error {
			if manifest == "" {
				manifest = filepath.Join(filepath.Dir(args[0]), "manifest.json")
			}
			module, text, err := contractFiles(nil, args[0], manifest)
			if err != nil {
				return err
			}
			c, err := checkModule(args[0], module, text)
			if err != nil {
				return err
			}
			if s.json {
				err = s.printJSON(c)
			} else {
				err = s.showCheck(c)
			}
			return errors.Join(err, c.refusal)
		},
	}
	cmd.Flags().StringVar(&manifest, "manifest", "", "manifest of the module; manifest.json beside it without one")
	return cmd
}

// checked is what a check found out.
type checked struct {
	Module   string        `json:"module"` // file
	Bytes    int           `json:"bytes"`
	CodeHash protocol.Hash `json:"sha256"`
	Admitted bool          `json:"admitted"`
	Refused  *refusedText  `json:"refused,omitempty"`
	Imports  []string      `json:"imports"`
	Exports  []string      `json:"exports"`
	Uses     []checkedUse  `json:"uses"` // the one nearest to its limit first
	Init     *checkedInit  `json:"init,omitempty"`

	refusal  error
	manifest *abi.Manifest
}

// refusedText says why a module is not admitted.
type refusedText struct {
	Code     string `json:"code"`
	Rule     string `json:"rule,omitempty"`
	Function string `json:"function,omitempty"`
	Text     string `json:"text"`
}

type checkedUse struct {
	Limit    string `json:"limit"`
	Used     int    `json:"used"`
	Max      int    `json:"max"`
	Function string `json:"function,omitempty"` // that uses most of it
}

// permille is how far the use goes towards the limit.
func (u *checkedUse) permille() int { return int(int64(u.Used) * 1000 / int64(max(u.Max, 1))) }

// checkedInit is what a deployment without arguments comes to. That a contract
// wants some does not keep it from being deployed.
type checkedInit struct {
	Code      string `json:"code"`
	GuestCode uint32 `json:"guestCode,omitempty"`
	Text      string `json:"text,omitempty"`
}

func checkModule(file string, module, manifest []byte) (*checked, error) {
	report, err := sim.Check(module, manifest)
	c := &checked{
		Module: file, Bytes: len(module), CodeHash: report.CodeHash, Admitted: err == nil, manifest: report.Manifest,
		Imports: append([]string{}, report.Imports...), Exports: append([]string{}, report.Exports...), Uses: []checkedUse{},
	}
	for _, u := range report.Uses {
		c.Uses = append(c.Uses, checkedUse(u))
	}
	slices.SortStableFunc(c.Uses, func(a, b checkedUse) int { return cmp.Compare(b.permille(), a.permille()) })
	if report.Init.Code != protocol.CodeOK {
		c.Init = &checkedInit{Code: report.Init.Code.Name(), GuestCode: report.Init.GuestCode, Text: report.Init.Text}
	}
	var refusal *sim.Refusal
	if errors.As(err, &refusal) {
		c.Refused = &refusedText{Code: refusal.Code.Name(), Rule: refusal.Rule, Function: refusal.Function, Text: refusal.Text}
		c.refusal = fmt.Errorf("a ledger would refuse %s: %s: %s", filepath.Base(file), refusal.Code.Name(), refusal.Text)
		return c, nil
	}
	return c, err
}

func (s *session) showCheck(c *checked) error {
	fmt.Fprintf(s.out, "%s: %s bytes\nsha256 %s\n\n", c.Module, grouped(uint64(c.Bytes)), c.CodeHash)
	if len(c.Uses) > 0 {
		const row = "%-14s  %11s  %11s  %7s  %s"
		line := func(cells ...any) { fmt.Fprintln(s.out, strings.TrimRight(fmt.Sprintf(row, cells...), " ")) }
		line("LIMIT", "USED", "OF", "SHARE", "MOST IN")
		for i := range c.Uses {
			u := &c.Uses[i]
			where := u.Function
			if u.Used > u.Max {
				where = strings.TrimSpace("OVER THE LIMIT " + where)
			}
			line(u.Limit, grouped(uint64(u.Used)), grouped(uint64(u.Max)), fmt.Sprintf("%d.%d %%", u.permille()/10, u.permille()%10), where)
		}
		fmt.Fprintln(s.out)
	}
	table := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "exports\t%s\n", strings.Join(c.Exports, ", "))
	fmt.Fprintf(table, "imports\t%s\n", strings.Join(c.Imports, ", "))
	if c.manifest != nil {
		for _, line := range handlerLines(c.manifest) {
			fmt.Fprintf(table, "%s\t%s\n", line[0], line[1])
		}
	}
	if c.Init != nil {
		fmt.Fprintf(table, "deployment\twithout arguments it is refused: %s, %s\n", c.Init.Code, c.Init.Text)
	}
	if c.Admitted {
		fmt.Fprintf(table, "verdict\ta ledger would take it\n")
	}
	return table.Flush()
}

// handlerLines list what the manifest promises, by the export that has to do it.
func handlerLines(m *abi.Manifest) (lines [][2]string) {
	add := func(export string, names []string) {
		if len(names) > 0 {
			lines = append(lines, [2]string{export, strings.Join(names, ", ")})
		}
	}
	var events, calls, timers, queries []string
	for i := range m.Events {
		events = append(events, m.Events[i].Type)
	}
	for i := range m.Calls {
		calls = append(calls, m.Calls[i].Name)
	}
	for i := range m.Timers {
		timers = append(timers, m.Timers[i].Name)
	}
	for i := range m.Queries {
		queries = append(queries, m.Queries[i].Name)
	}
	add(abi.ExportEvent, events)
	add(abi.ExportCall, calls)
	add(abi.ExportTimer, timers)
	add(abi.ExportQuery, queries)
	return lines
}

// checkBuilt holds a module that was just built to the rules.
func checkBuilt(module string, code []byte) (*checked, error) {
	manifest, err := os.ReadFile(filepath.Join(filepath.Dir(module), "manifest.json"))
	if err != nil {
		return nil, err
	}
	c, err := checkModule(module, code, manifest)
	if err != nil {
		return nil, err
	}
	return c, c.refusal
}
