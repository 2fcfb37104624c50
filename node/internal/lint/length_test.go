package lint

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const (
	maxFunctionLines = 70
	maxFileLines     = 600
)

// long are functions that may be longer, with the reason.
var long = map[string]string{
	"client/proof/receipt_test.go TestReceiptRefusals":       "a table: one entry a refusal",
	"node/internal/vm/bomb_test.go TestCompileTime":          "a table: one entry a module that is slow to compile",
	"node/internal/vm/module/rules_test.go TestRules":        "a table: one entry an admission rule",
	"node/internal/vm/projection/project_test.go TestValues": "a table: one entry a spelling of a value",
}

func TestFunctionsAndFilesAreShort(t *testing.T) {
	all := sources(t)
	used := map[string]bool{}
	for _, f := range all.files {
		if f.lines > maxFileLines {
			t.Errorf("%s has %d lines, at most %d are read in one sitting: split it by idea", f.name, f.lines, maxFileLines)
		}
		for _, declared := range f.syntax.Decls {
			function, ok := declared.(*ast.FuncDecl)
			if !ok {
				continue
			}
			lines := all.fset.Position(function.End()).Line - all.fset.Position(function.Pos()).Line + 1
			if lines <= maxFunctionLines {
				continue
			}
			name := f.name + " " + function.Name.Name
			if _, allowed := long[name]; allowed {
				used[name] = true
				continue
			}
			t.Errorf("%s has %d lines, the limit is %d: give its steps names", name, lines, maxFunctionLines)
		}
	}
	for name := range long {
		if !used[name] {
			t.Errorf("%s is short again: take it off the list", name)
		}
	}
}

// unfinished are the marks of work that was put off.
var unfinished = regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|X` + `XX)\b`)

// textFiles are the kinds of files people write.
var textFiles = []string{".go", ".md", ".sh", ".c", ".mod", ".txt", ".toml", ".yml", ".yaml", ".ts", ".mjs", ".html"}

// madeFolders hold what programs wrote.
var madeFolders = []string{".git", "bin", ".devnet", "node_modules", "dist"}

func TestNothingIsPutOff(t *testing.T) {
	err := filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if file != root && slices.Contains(madeFolders, entry.Name()) {
				return fs.SkipDir
			}
			return nil
		}
		if !slices.Contains(textFiles, filepath.Ext(file)) && entry.Name() != "Makefile" {
			return nil
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		for i, line := range strings.Split(string(text), "\n") {
			if mark := unfinished.FindString(line); mark != "" {
				t.Errorf("%s:%d: %s: finish it, or open an issue that says who needs it", strings.TrimPrefix(file, root+string(filepath.Separator)), i+1, mark)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// parsePackage parses the files of a package that this build uses, tests aside.
func parsePackage(t *testing.T, fset *token.FileSet, p listed) []*ast.File {
	t.Helper()
	var files []*ast.File
	for _, name := range p.GoFiles {
		f, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	return files
}
