package main

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"golang.org/x/mod/modfile"
	"golang.org/x/mod/semver"

	"github.com/cairn-ledger/cairn/contracts/abi"
)

// modulePath is where contracts find the SDK and the test kit.
const modulePath = "github.com/cairn-ledger/cairn"

// goDirective is the language version of a new contract's go.mod: that of this
// module, whose packages it imports.
const goDirective = "1.26.0"

// templateFiles are a new contract's files; {{Name}} stands for its name.
//
//go:embed contract-template
var templateFiles embed.FS

const templateDir = "contract-template"

// templateWords say what each file is for, in the order of reading.
var templateWords = [...]struct{ file, what string }{
	{"README.md", "what it does, its calls and refusals"},
	{"manifest.json", "which events it gets, what can be called and asked"},
	{"main.go", "the handlers"},
	{"state.go", "what it keeps"},
	{"native_test.go", "the handlers as plain Go"},
	{"ledger_test.go", "the built module on a ledger in memory"},
}

func newContractCommand(s *session) *cobra.Command {
	var parent, replace string
	cmd := &cobra.Command{
		Use:   "new NAME",
		Short: "Write a contract that works, to begin with",
		Long: `Write a contract that works, to begin with: an event handler, a call, a query and
state, with tests of the handlers and of the built module. The folder is called NAME.

It is a Go module of its own that requires this version of ` + modulePath + `;
--replace takes that from a local checkout. In a checkout it is a package of it, and
no go.mod is written.`,
		Example: "  cairn contract new cold-chain",
		Args:    exactly(1, "a name"),
		RunE: func(_ *cobra.Command, args []string) error {
			n := newContract{name: args[0], version: ownVersion()}
			if err := n.check(parent, replace); err != nil {
				return err
			}
			if err := n.write(); err != nil {
				return err
			}
			if s.json {
				return s.printJSON(map[string]any{"dir": n.dir, "files": n.files, "next": n.next()})
			}
			return s.showNew(&n)
		},
	}
	cmd.Flags().StringVar(&parent, "dir", ".", "folder to make the contract's folder in")
	cmd.Flags().StringVar(&replace, "replace", "", "local checkout of "+modulePath+" to build with")
	return cmd
}

// newContract is what is about to be written.
type newContract struct {
	name    string
	version string // of modulePath to require; empty for a build that has none
	dir     string
	within  bool   // a checkout of modulePath: no go.mod
	replace string // absolute path of a checkout, or empty
	files   []string
}

// ownVersion is the published version that this program was built from, or
// empty: a build with local changes, or from no version, cannot be required.
func ownVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || semver.Canonical(info.Main.Version) != info.Main.Version {
		return ""
	}
	return info.Main.Version
}

func (n *newContract) check(parent, replace string) error {
	name, err := json.Marshal(n.name)
	if err != nil {
		return err
	}
	var invalid *abi.ManifestError
	if _, err := abi.ParseManifest(fmt.Appendf(nil, `{"name":%s,"version":"0","abi":1}`, name)); errors.As(err, &invalid) {
		return usageError{fmt.Errorf("name %s", invalid.Text)}
	}
	if parent, err = filepath.Abs(parent); err != nil {
		return err
	}
	n.dir = filepath.Join(parent, n.name)
	if there, err := os.ReadDir(n.dir); !errors.Is(err, fs.ErrNotExist) {
		if err == nil && len(there) == 0 {
			err = errors.New("it is empty; remove it")
		} else if err == nil {
			err = fmt.Errorf("it holds %s, and nothing is overwritten", there[0].Name())
		}
		return fmt.Errorf("%s is there already: %w", n.dir, err)
	}
	n.within = moduleAbove(parent) == modulePath
	switch {
	case replace == "":
	case n.within:
		return usageError{fmt.Errorf("--replace: %s lies in a checkout and is built with that", n.dir)}
	default:
		if n.replace, err = filepath.Abs(replace); err != nil {
			return err
		}
		if moduleIn(n.replace) != modulePath {
			return usageError{fmt.Errorf("--replace: %s holds no go.mod of %s", n.replace, modulePath)}
		}
	}
	if !n.within && goHas(n.name) {
		return usageError{fmt.Errorf("name %q is a package of Go's own library, and the Go module %s would hide behind it: choose another", n.name, n.name)}
	}
	return nil
}

// moduleIn is the path of the module whose go.mod a folder holds, or empty.
func moduleIn(dir string) string {
	text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		return ""
	}
	return modfile.ModulePath(text)
}

// moduleAbove is the path of the module that a folder is in, or empty.
func moduleAbove(dir string) string {
	for {
		if path := moduleIn(dir); path != "" {
			return path
		}
		up := filepath.Dir(dir)
		if up == dir {
			return ""
		}
		dir = up
	}
}

// goHas says whether Go's library has a package of this name. Without a Go
// installation nobody knows, and the first build will tell.
func goHas(name string) bool {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return false
	}
	_, err = os.Stat(filepath.Join(strings.TrimSpace(string(root)), "src", name))
	return err == nil
}

func (n *newContract) write() error {
	if err := os.MkdirAll(n.dir, 0o755); err != nil {
		return err
	}
	for _, f := range templateWords {
		text, err := templateFiles.ReadFile(templateDir + "/" + f.file + ".tmpl")
		if err != nil {
			return err
		}
		if err := n.put(f.file, strings.ReplaceAll(string(text), "{{Name}}", n.name)); err != nil {
			return err
		}
	}
	if n.within {
		return nil
	}
	return n.put("go.mod", n.goMod())
}

func (n *newContract) put(name, text string) error {
	n.files = append(n.files, name)
	return os.WriteFile(filepath.Join(n.dir, name), []byte(text), 0o644)
}

func (n *newContract) goMod() string {
	version := n.version
	if version == "" {
		version = "v0.0.0"
	}
	text := fmt.Sprintf("module %s\n\ngo %s\n\nrequire %s %s\n", n.name, goDirective, modulePath, version)
	if n.replace != "" {
		text += fmt.Sprintf("\nreplace %s => %s\n", modulePath, modfile.AutoQuote(n.replace))
	}
	return text
}

// next are the commands that lead to a deployed contract.
func (n *newContract) next() []string {
	enter := "cd " + n.dir
	if here, err := os.Getwd(); err == nil {
		if rel, err := filepath.Rel(here, n.dir); err == nil {
			enter = "cd " + rel
		}
	}
	switch {
	case n.within:
	case n.unfetchable():
		enter += " && go mod edit -replace " + modulePath + "=CHECKOUT && go mod tidy"
	default:
		enter += " && go mod tidy"
	}
	return []string{
		enter, "cairn contract test",
		fmt.Sprintf("cairn contract deploy --wasm %s.wasm --manifest manifest.json --args '{\"limit\": 50}'", n.name),
	}
}

// unfetchable says that the version required is nowhere to be had.
func (n *newContract) unfetchable() bool { return !n.within && n.version == "" && n.replace == "" }

func (s *session) showNew(n *newContract) error {
	fmt.Fprintf(s.out, "%s%c\n", n.dir, filepath.Separator)
	table := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	for _, f := range templateWords {
		fmt.Fprintf(table, "  %s\t%s\n", f.file, f.what)
	}
	if !n.within {
		fmt.Fprintf(table, "  go.mod\ta Go module of its own\n")
	}
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(s.out, "\nnext:")
	for _, command := range n.next() {
		fmt.Fprintf(s.out, "  %s\n", command)
	}
	switch {
	case n.unfetchable():
		fmt.Fprintf(s.out, "\nThis program is a development build, whose version cannot be fetched: CHECKOUT is the folder\nof a checkout of %s. `cairn contract new --replace CHECKOUT` writes that at once.\n", modulePath)
	case n.replace != "":
		fmt.Fprintf(s.out, "\ngo.mod takes %s from %s.\nBefore others build it: go mod edit -dropreplace %s, and require a published version.\n", modulePath, n.replace, modulePath)
	}
	return nil
}
