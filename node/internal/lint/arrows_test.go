package lint

import (
	"slices"
	"strings"
	"testing"
)

// arrow forbids imports: what holds for a file's folder, and why.
type arrow struct {
	from    string // folder below root the rule is for, with what lies in it; "" for every folder
	unless  string // a folder in it that has a rule of its own
	tests   bool   // holds for test files too
	allowed func(imported string) bool
	why     string
}

// arrows within the module. An import of ours that a rule does not allow fails.
var arrows = []arrow{
	{"client/protocol", "", true, only(), "the protocol's words import none of our packages: every other part is written in them"},
	{"contracts/abi", "", true, only(), "the agreement between guest and host imports none of our packages: both ends import it"},
	{"client/proof", "", true, only("client/protocol"), "an auditor reads client/proof and client/protocol and nothing else; move what it needs there"},
	{"contracts/sdk", "", true, only("contracts/abi"), "the guest's SDK is compiled into every contract; what it shares with the host belongs in contracts/abi"},
	{"client", commandLine, true, notNode, "a client does not contain a node; speak to one through client/rest"},
	{commandLine, "", true, notNodeBut("node/sim"), "the command line knows a ledger in memory, node/sim, and through client/rest those of others"},
	{"contracts", testKit, true, notNode, "contracts do not know what runs them; their tests ask contracts/contracttest"},
	{testKit, "", true, notNodeBut("node/sim", "node/sim/asm"), "the test kit runs contracts on node/sim; ask it for what else is needed"},
	{"contracts", testKit, false, not(testKit), "a contract is compiled to WebAssembly; only its tests import the test kit"},
	{"node", simulation, false, not(simulation), "a validator does not contain its simulation"},
	{"node", "", false, not(connectors), "a validator links no broker's client; connectors are processes of their own"},
	{"genesis", "", true, notNode, "the founding document is read by clients too"},
}

// Folders that some of the rules single out.
const (
	commandLine = "client/cmd/cairn"
	testKit     = "contracts/contracttest"
	simulation  = "node/sim"
	connectors  = "client/connector"
)

func only(packages ...string) func(string) bool {
	return func(imported string) bool { return slices.Contains(packages, imported) }
}

func not(folder string) func(string) bool {
	return func(imported string) bool { return !below(imported, folder) }
}

func notNode(imported string) bool { return !below(imported, "node") }

func notNodeBut(packages ...string) func(string) bool {
	return func(imported string) bool { return notNode(imported) || slices.Contains(packages, imported) }
}

func TestArrowsWithinTheModule(t *testing.T) {
	for _, f := range sources(t).files {
		for _, imported := range f.imports {
			pkg, ok := ours(imported)
			if !ok || pkg == f.pkg { // an external test package imports its own
				continue
			}
			for _, rule := range arrows {
				exempt := rule.unless != "" && below(f.pkg, rule.unless)
				if below(f.pkg, rule.from) && !exempt && (rule.tests || !f.test) && !rule.allowed(pkg) {
					t.Errorf("%s imports %s: %s", f.name, pkg, rule.why)
				}
			}
		}
	}
}

// dependency says which folders may import a module of others.
type dependency struct {
	prefix  string
	folders []string // with what lies in them
	exact   []string // without
	tests   bool     // any test file under node/ may, too
	except  map[string]string
	why     string
}

var dependencies = []dependency{
	{
		prefix: "github.com/cometbft/cometbft", exact: []string{"node", "node/internal/app", simulation},
		folders: []string{"node/internal/light"}, tests: true,
		why: "the consensus engine is known to package node, to its adapter node/internal/app, to node/sim, which calls that as it does, and to node/internal/light; let one of them hand you what you need",
	},
	{
		prefix: "github.com/cometbft/cometbft-db", exact: []string{"node", "node/internal/store/cometdb"},
		why: "CometBFT's database interface is met in node/internal/store/cometdb and nowhere else",
	},
	{
		prefix: "github.com/cockroachdb/pebble", folders: []string{"node/internal/store"},
		except: map[string]string{
			"node/fsck_test.go":                     "damages a store at rest, one place at a time",
			"node/sim/disk.go":                      "crashes a file system in memory, which the simulation hands to store.Options",
			"node/internal/machine/machine_test.go": "opens the store on a file system in memory, which a test hands to store.Options",
		},
		why: "only the store knows what keeps its bytes; ask node/internal/store",
	},
	{
		prefix: "github.com/tetratelabs/wazero", folders: []string{"node/internal/vm"},
		why: "only node/internal/vm knows the engine; ask its Program",
	},
	{
		prefix: "cel.dev/cel-go", folders: []string{"node/internal/subscription", connectors},
		why: "expressions filter what is delivered to a reader, and map what a connector reads, by no agreed rule; nothing else may depend on what they say",
	},
}

// of says whether an import is of the module; /v2 and sub-packages are.
func (d *dependency) of(imported string) bool { return below(imported, d.prefix) }

func (d *dependency) allows(f *source) bool {
	_, excepted := d.except[f.name]
	return excepted || slices.Contains(d.exact, f.pkg) || d.tests && f.test && below(f.pkg, "node") ||
		slices.ContainsFunc(d.folders, func(folder string) bool { return below(f.pkg, folder) })
}

func TestOnlyTheOwnerImportsAnEngine(t *testing.T) {
	used := map[string]bool{}
	for _, f := range sources(t).files {
		for _, imported := range f.imports {
			for _, d := range dependencies {
				if !d.of(imported) {
					continue
				}
				used[d.prefix+f.name] = true
				if !d.allows(f) {
					t.Errorf("%s imports %s: %s", f.name, imported, d.why)
				}
			}
		}
	}
	for _, d := range dependencies {
		for file := range d.except {
			if !used[d.prefix+file] {
				t.Errorf("%s no longer imports %s: take it off the list of exceptions", file, d.prefix)
			}
		}
	}
}

func TestClientsCarryNoEngine(t *testing.T) {
	for _, p := range goList(t, "./client/...") {
		if pkg, _ := ours(p.ImportPath); pkg == commandLine {
			continue // `cairn contract check` runs the ledger's own rules
		}
		for _, d := range dependencies {
			if pkg, _ := ours(p.ImportPath); below(pkg, connectors) && slices.Contains(d.folders, connectors) {
				continue
			}
			if at := slices.IndexFunc(p.Deps, d.of); at >= 0 {
				t.Errorf("%s reaches %s: a client builds without consensus, storage or virtual machine; look for the import in `go list -deps`",
					strings.TrimPrefix(p.ImportPath, modulePath+"/"), p.Deps[at])
			}
		}
	}
}
