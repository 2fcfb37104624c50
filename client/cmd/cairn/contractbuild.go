package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/mod/modfile"

	"github.com/cairn-ledger/cairn/scripts"
)

func buildCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "build [DIR...]",
		Short: "Compile contracts to WebAssembly, the same bytes on every machine",
		Long: `Compile contracts to WebAssembly, the same bytes on every machine: the one in the
working folder, or those in the folders given. It writes FOLDER.wasm and its SHA-256
beside the source, and holds the module to the rules of a deployment.

The compiler is TinyGo, which is built once from its pinned source and kept in the
cache folder of the user; what that needs and the machine lacks is said.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				args = []string{"."}
			}
			b, err := newBuilder(cmd.Context(), cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			defer b.close()
			results := make([]built, 0, len(args))
			for _, dir := range args {
				result, err := b.build(cmd.Context(), dir)
				if err != nil {
					return err
				}
				results = append(results, result)
				if !s.json {
					if err := s.showBuilt(&result); err != nil {
						return err
					}
				}
			}
			if s.json {
				return s.printJSON(results)
			}
			return nil
		},
	}
}

func (s *session) showBuilt(b *built) error {
	u := &b.Nearest
	_, err := fmt.Fprintf(s.out, "%s: %s bytes\nsha256 %s\na ledger would take it; nearest to a limit: %s, %s of %s\n",
		b.Module, grouped(uint64(b.Bytes)), b.SHA256, u.Limit, grouped(uint64(u.Used)), grouped(uint64(u.Max)))
	return err
}

// builder compiles contracts with the scripts that build this repository's.
type builder struct {
	root   string // temporary folder that holds the scripts
	stderr io.Writer
}

// built is a module that was compiled.
type built struct {
	Module string `json:"module"` // file
	Bytes  int    `json:"bytes"`
	SHA256 string `json:"sha256"`
	// Nearest is the limit that the module comes nearest to.
	Nearest checkedUse `json:"nearest"`
}

// newBuilder makes the toolchain ready, which takes about a minute the first
// time.
func newBuilder(ctx context.Context, stderr io.Writer) (*builder, error) {
	for _, tool := range [...]string{"sh", "go"} {
		if _, err := exec.LookPath(tool); err != nil {
			return nil, fmt.Errorf("to build contracts, %s must be on the PATH: %w", tool, err)
		}
	}
	root, err := os.MkdirTemp("", "cairn-build-")
	if err != nil {
		return nil, err
	}
	b := &builder{root, stderr}
	err = os.CopyFS(filepath.Join(root, "scripts"), scripts.Contracts)
	if err == nil { // one of the scripts runs it by its name
		err = os.Chmod(b.script("tinygo.sh"), 0o755)
	}
	if err == nil {
		err = b.run(ctx, "tinygo.sh")
	}
	if err != nil {
		b.close()
		return nil, fmt.Errorf("there is no TinyGo to build contracts with, for the reason above: %w\n"+
			"On Debian 12, install what is named there. Elsewhere, CAIRN_LLVM names the folder of an LLVM 19 with clang,\n"+
			"lld and the WebAssembly runtime, and wasm-opt must be on the PATH; other versions build other bytes", err)
	}
	return b, nil
}

func (b *builder) script(name string) string { return filepath.Join(b.root, "scripts", name) }

func (b *builder) close() { os.RemoveAll(b.root) }

// run runs a script; what it prints for scripts is dropped. The working folder
// is the scripts': a Go command in them must not touch a module of the caller's.
func (b *builder) run(ctx context.Context, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, "sh", append([]string{b.script(name)}, args...)...)
	cmd.Dir, cmd.Stderr = b.root, b.stderr
	return cmd.Run()
}

func (b *builder) build(ctx context.Context, dir string) (built, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return built{}, err
	}
	if err := isContract(dir); err != nil {
		return built{}, err
	}
	if err := b.run(ctx, "build-contracts.sh", dir); err != nil {
		return built{}, fmt.Errorf("%s does not build: %w", dir, err)
	}
	module := moduleFile(dir)
	code, err := os.ReadFile(module)
	if err != nil {
		return built{}, err
	}
	c, err := checkBuilt(module, code)
	if err != nil {
		return built{}, err
	}
	result := built{Module: module, Bytes: len(code), SHA256: c.CodeHash.String()}
	if len(c.Uses) > 0 {
		result.Nearest = c.Uses[0]
	}
	return result, nil
}

// moduleFile is where the module of a contract's folder is built to.
func moduleFile(dir string) string { return filepath.Join(dir, filepath.Base(dir)+".wasm") }

// isContract says what a folder lacks to be built.
func isContract(dir string) error {
	if _, err := os.Stat(filepath.Join(dir, "src", "lib.rs")); err == nil {
		return fmt.Errorf("%s is a contract in Rust; scripts/build-rust-contracts.sh of the repository builds those", dir)
	}
	for _, file := range [...]string{"main.go", "manifest.json"} {
		if _, err := os.Stat(filepath.Join(dir, file)); err != nil {
			return fmt.Errorf("%s is no contract in Go: %w; `cairn contract new NAME` writes one", dir, err)
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		return nil // a package of a module above
	}
	mod, err := modfile.ParseLax("go.mod", text, nil)
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(dir, "go.sum")); errors.Is(err, fs.ErrNotExist) && len(mod.Require) > 0 {
		return fmt.Errorf("%s has no go.sum yet: run `go mod tidy` there, which finds what go.mod requires", dir)
	}
	return nil
}

func testContractCommand(*session) *cobra.Command {
	return &cobra.Command{
		Use:   "test [DIR] [-- FLAGS OF GO TEST]",
		Short: "Build a contract if its source is newer, and run its tests",
		Long: `Build a contract if its source is newer than its module, and run its tests: those of
the working folder, or of the one given. It exits as go test does.`,
		Example: "  cairn contract test -- -v -run Ledger",
		RunE: func(cmd *cobra.Command, args []string) error {
			dir, flags := ".", []string(nil)
			if dash := cmd.ArgsLenAtDash(); dash >= 0 {
				args, flags = args[:dash], args[dash:]
			}
			if err := atMost(1, "a folder")(cmd, args); err != nil {
				return err
			}
			if len(args) == 1 {
				dir = args[0]
			}
			return testContract(cmd, dir, flags)
		},
	}
}

func testContract(cmd *cobra.Command, dir string, flags []string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	if err := isContract(dir); err != nil {
		return err
	}
	stale, err := staleModule(dir)
	if err != nil {
		return err
	}
	if stale {
		b, err := newBuilder(cmd.Context(), cmd.ErrOrStderr())
		if err != nil {
			return err
		}
		defer b.close()
		result, err := b.build(cmd.Context(), dir)
		if err != nil {
			return err
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "built %s: %s bytes\n", filepath.Base(result.Module), grouped(uint64(result.Bytes)))
	}
	test := exec.CommandContext(cmd.Context(), "go", append([]string{"test"}, flags...)...)
	test.Dir, test.Stdout, test.Stderr = dir, cmd.OutOrStdout(), cmd.ErrOrStderr()
	return passThrough(test.Run())
}

// passThrough gives this program the exit code of another one.
func passThrough(err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		switch err = fmt.Errorf("go test: %w", err); exit.ExitCode() {
		case exitUsage:
			return usageError{err}
		case exitInvalid:
			return fmt.Errorf("%w: %w", errInvalid, err)
		}
	}
	return err
}

// staleModule says whether a contract's module is missing or older than what
// it is built from.
func staleModule(dir string) (bool, error) {
	info, err := os.Stat(moduleFile(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	newest := time.Time{}
	err = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		name := entry.Name()
		switch {
		case err != nil:
			return err
		case entry.IsDir() && path != dir && (name == "testdata" || strings.HasPrefix(name, ".")):
			return fs.SkipDir
		case name != "go.mod" && (filepath.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go")):
			return nil
		}
		source, err := entry.Info()
		if err == nil && source.ModTime().After(newest) {
			newest = source.ModTime()
		}
		return err
	})
	return newest.After(info.ModTime()), err
}

// grouped writes 2097152 as 2,097,152.
func grouped(n uint64) string {
	text := fmt.Sprint(n)
	var out bytes.Buffer
	for i, digit := range []byte(text) {
		if i > 0 && (len(text)-i)%3 == 0 {
			out.WriteByte(',')
		}
		out.WriteByte(digit)
	}
	return out.String()
}
