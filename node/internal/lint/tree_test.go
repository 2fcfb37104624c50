package lint

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

const modulePath = "github.com/cairn-ledger/cairn"

// root is the repository, as seen from this package's folder.
var root = filepath.Join("..", "..", "..")

// source is one Go file, whatever its build constraints.
type source struct {
	name    string // path below root, with slashes
	pkg     string // folder below root: "." for root's own
	test    bool
	lines   int
	imports []string
	syntax  *ast.File
}

// tree is every Go file of the repository, parsed once.
type tree struct {
	fset  *token.FileSet
	files []*source
}

var theTree = sync.OnceValues(readTree)

func readTree() (*tree, error) {
	t := &tree{fset: token.NewFileSet()}
	err := filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		if entry.IsDir() {
			if file != root && (strings.HasPrefix(name, ".") || name == "testdata" || slices.Contains(madeFolders, name)) {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		syntax, err := parser.ParseFile(t.fset, file, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		below, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		s := &source{name: filepath.ToSlash(below), test: strings.HasSuffix(name, "_test.go"), syntax: syntax}
		s.pkg, s.lines = path.Dir(s.name), t.fset.File(syntax.Pos()).LineCount()
		for _, spec := range syntax.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			s.imports = append(s.imports, imported)
		}
		t.files = append(t.files, s)
		return nil
	})
	return t, err
}

func sources(t *testing.T) *tree {
	t.Helper()
	all, err := theTree()
	if err != nil {
		t.Fatal(err)
	}
	if len(all.files) < 100 {
		t.Fatalf("found %d Go files: is the repository at %s?", len(all.files), root)
	}
	return all
}

// listed is what `go list` says of a package.
type listed struct {
	ImportPath string
	Dir        string
	GoFiles    []string
	Deps       []string
	Export     string
}

func goList(t *testing.T, args ...string) []listed {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-json=ImportPath,Dir,GoFiles,Deps,Export"}, args...)...)
	cmd.Dir = root
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list %s: %v\n%s", strings.Join(args, " "), err, complaint.String())
	}
	var found []listed
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return found
		} else if err != nil {
			t.Fatal(err)
		}
		found = append(found, p)
	}
}

// below says whether a path is a folder or lies in it.
func below(p, folder string) bool { return p == folder || strings.HasPrefix(p, folder+"/") }

// ours cuts the module's path off an import; ok is false for others' packages.
func ours(imported string) (pkg string, ok bool) {
	return strings.CutPrefix(imported, modulePath+"/")
}
