package lint

import (
	"fmt"
	"go/ast"
	"go/importer"
	"go/token"
	"go/types"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

// deterministic are the folders whose code every node must run to the same
// result, with what lies in them.
var deterministic = []string{
	"client/protocol", "client/proof", "client/schema", "contracts/abi", "genesis",
	"node/internal/machine", "node/internal/bank", "node/internal/membership", "node/internal/registry", "node/internal/vm", "node/internal/store",
}

// bannedCalls are functions whose answer differs from node to node.
var bannedCalls = map[string]string{
	"time.Now":     "block time is Block.TimeMs; a clock differs from node to node",
	"time.Since":   "durations are measured in node/internal/app, outside what is agreed on",
	"time.Until":   "nothing that is agreed on waits",
	"time.After":   "nothing that is agreed on waits",
	"time.Sleep":   "nothing that is agreed on waits",
	"os.Getenv":    "settings arrive through a Config; an environment differs from node to node",
	"os.LookupEnv": "settings arrive through a Config; an environment differs from node to node",
	"os.Hostname":  "a host's name differs from node to node",
}

// bannedImports are packages with nothing to offer here.
var bannedImports = map[string]string{
	"math/rand":    "there is no randomness in what is agreed on",
	"math/rand/v2": "there is no randomness in what is agreed on",
	"hash/maphash": "its seed differs from process to process",
	"unsafe":       "the result would depend on the machine",
}

// exceptions to the rules, by rule, file and function, with the reason.
var exceptions = map[string]string{
	"go statement in node/internal/machine/check.go checkAll":              "checks forms and signatures, each into its own place of two slices",
	"go statement in node/internal/store/state/tree.go records":            "sorts one list while another is made; neither reads what the other writes",
	"go statement in node/internal/store/state/update.go inParallel":       "hashes changes, each into its own place of a slice",
	"go statement in node/internal/store/state/update.go inParallelGroups": "hashes subtrees, each into its own place of an array",
	"import of \"hash/maphash\" in node/internal/store/recent.go":          "says only whether a lookup can be spared; the lookup answers the same",
	"import of \"hash/maphash\" in node/internal/store/side.go":            "places keys in a table in memory, which is read by key and written sorted",
	"range over a map in client/protocol/code.go Codes":                    "the list is sorted before it is answered",
	"range over a map in client/protocol/entry.go UnmarshalText":           "names are unique, so one entry at most matches",
}

const (
	ruleGo     = "go statement"
	ruleFloat  = "float"
	ruleRange  = "range over a map"
	ruleSelect = "select"
)

var ruleWhy = map[string]string{
	ruleGo:     "one goroutine executes, so that the order of effects is the order of the block; to check or hash in parallel, fill a slice by index and list the function as an exception with the reason",
	ruleFloat:  "floating point rounds differently from one compiler to the next; use integers, bits.Mul64 and a named rounding",
	ruleRange:  "the order of a map differs from run to run; use slices.Sorted(maps.Keys(m)), or end the line with the comment why `order does not matter` or that the keys are `sorted below`",
	ruleSelect: "which ready case runs is chosen at random",
}

// checker looks at the syntax of one package with its types.
type checker struct {
	t    *testing.T
	fset *token.FileSet
	info *types.Info
	used map[string]bool

	file     string
	function string         // the declaration being looked at; empty outside functions
	comments map[int]string // by line
}

func TestWhatNodesAgreeOnIsDeterministic(t *testing.T) {
	var patterns []string
	for _, folder := range deterministic {
		patterns = append(patterns, "./"+folder+"/...")
	}
	exports := map[string]string{}
	for _, p := range goList(t, append([]string{"-export", "-deps"}, patterns...)...) {
		exports[p.ImportPath] = p.Export
	}
	fset := token.NewFileSet()
	imports := importer.ForCompiler(fset, "gc", func(imported string) (io.ReadCloser, error) {
		file := exports[imported]
		if file == "" {
			return nil, fmt.Errorf("no export data of %s", imported)
		}
		return os.Open(file)
	})
	used := map[string]bool{}
	for _, p := range goList(t, patterns...) {
		c := &checker{t: t, fset: fset, used: used, info: &types.Info{
			Types: map[ast.Expr]types.TypeAndValue{}, Uses: map[*ast.Ident]types.Object{},
		}}
		c.check(p, imports)
	}
	for exception := range exceptions {
		if !used[exception] {
			t.Errorf("%s: nothing needs this exception any more; take it off the list", exception)
		}
	}
}

func (c *checker) check(p listed, imports types.Importer) {
	files := parsePackage(c.t, c.fset, p)
	config := types.Config{Importer: imports}
	if _, err := config.Check(p.ImportPath, c.fset, files, c.info); err != nil {
		c.t.Fatalf("%s: %v", p.ImportPath, err)
	}
	folder, _ := ours(p.ImportPath)
	for _, f := range files {
		c.file = path.Join(folder, filepath.Base(c.fset.Position(f.Pos()).Filename))
		c.comments = map[int]string{}
		for _, group := range f.Comments {
			for _, comment := range group.List {
				c.comments[c.fset.Position(comment.Pos()).Line] = comment.Text
			}
		}
		c.function = ""
		for _, spec := range f.Imports {
			if why, banned := bannedImports[strings.Trim(spec.Path.Value, `"`)]; banned {
				c.fail("import of "+spec.Path.Value, spec.Pos(), why)
			}
		}
		for _, declared := range f.Decls {
			c.function = ""
			if function, ok := declared.(*ast.FuncDecl); ok {
				c.function = function.Name.Name
			}
			ast.Inspect(declared, c.node)
		}
	}
}

// node looks at one node of the syntax.
func (c *checker) node(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.GoStmt:
		c.fail(ruleGo, n.Pos(), ruleWhy[ruleGo])
	case *ast.SelectStmt:
		if len(n.Body.List) > 1 {
			c.fail(ruleSelect, n.Pos(), ruleWhy[ruleSelect])
		}
	case *ast.RangeStmt:
		if c.unordered(n.X) && !c.ordered(n.Pos()) {
			c.fail(ruleRange, n.Pos(), ruleWhy[ruleRange])
		}
	case *ast.Ident:
		c.ident(n)
	}
	return true
}

// unordered says whether ranging over an expression has an order of its own.
func (c *checker) unordered(x ast.Expr) bool {
	if _, isMap := c.info.Types[x].Type.Underlying().(*types.Map); isMap {
		return true
	}
	call, ok := x.(*ast.CallExpr)
	if !ok {
		return false
	}
	selected, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	object := c.info.Uses[selected.Sel]
	return object != nil && object.Pkg() != nil && object.Pkg().Path() == "maps"
}

// ordered says whether the line explains why order is no matter.
func (c *checker) ordered(at token.Pos) bool {
	comment := c.comments[c.fset.Position(at).Line]
	return strings.Contains(comment, "order does not matter") || strings.Contains(comment, "sorted below")
}

// ident finds banned functions and types by what a name stands for.
func (c *checker) ident(n *ast.Ident) {
	object := c.info.Uses[n]
	if object == nil {
		return
	}
	if object == types.Universe.Lookup("float32") || object == types.Universe.Lookup("float64") {
		c.fail(ruleFloat, n.Pos(), ruleWhy[ruleFloat])
	}
	function, ok := object.(*types.Func)
	if !ok || function.Pkg() == nil {
		return
	}
	from := function.Pkg().Path()
	switch name := from + "." + function.Name(); {
	case function.Signature().Recv() == nil && bannedCalls[name] != "":
		c.fail(name, n.Pos(), bannedCalls[name])
	case function.Name() == "Go" && (from == "sync" || from == "golang.org/x/sync/errgroup"):
		c.fail(ruleGo, n.Pos(), ruleWhy[ruleGo])
	}
}

func (c *checker) fail(rule string, at token.Pos, why string) {
	c.t.Helper()
	exception := strings.TrimSpace(rule + " in " + c.file + " " + c.function)
	if _, allowed := exceptions[exception]; allowed {
		c.used[exception] = true
		return
	}
	c.t.Errorf("%s:%d: %s: %s", c.file, c.fset.Position(at).Line, rule, why)
}
