//go:build !tinygo

package abi

// Limits of a manifest. They bound what is kept for every contract and what
// one event can cost to project.
const (
	MaxManifestBytes = 64 << 10
	MaxName          = 64   // bytes of a contract, field or method name
	MaxVersionText   = 64   // bytes
	MaxDescription   = 1024 // bytes
	MaxEventType     = 256  // bytes of a subscribed event type
	MaxEvents        = 64   // subscriptions
	MaxMethods       = 64   // calls, and as many queries
	MaxFields        = 64   // of one subscription or method
	MaxPath          = 256  // bytes of a dotted path
	MaxPathSegments  = 8
	MaxScale         = 18 // decimal places: 10^18 fits an int64
	MaxRetries       = 10
	MaxStateEntries  = 64
)

// Manifest says what a contract subscribes to, what can be asked of it, and
// which fields the host reads for it.
type Manifest struct {
	Name        string // unique on a ledger: a-z, 0-9 and -, starting with a letter
	Version     string // of the contract, for people
	Description string // optional, for people
	Author      string // optional, for people
	Source      string // optional: SHA-256 of the source the module was built from, in hex
	Events      []Subscription
	Init        []Field // arguments of the deployment
	Migrate     []Field // arguments of the upgrade to this version
	Calls       []Method
	Timers      []Timer
	Queries     []Method
	State       []StateEntry // optional: what is where in the contract's state
}

// Subscription delivers every event of one type, of this ledger or of another
// that is registered under the name Ledger; its index in Manifest.Events is the
// handler passed to cairn_event.
type Subscription struct {
	Type    string
	Ledger  string // empty: this one
	Fields  []Field
	Retries uint8 // how often a delivery that the contract aborts is tried again, in later blocks
}

// Timer is a handler of timers; its index in Manifest.Timers is the handler
// passed to schedule and cairn_timer.
type Timer struct{ Name string }

// StateEntry describes a part of the contract's state, for people and tools.
type StateEntry struct{ Name, Kind, Description string }

// StateKinds are the kinds of a StateEntry.
var StateKinds = []string{"value", "counter", "map", "index", "window"}

// Method is a call or a query; its index in its list is the handler.
type Method struct {
	Name   string
	Fields []Field
}

// Field is one value the host reads from JSON.
type Field struct {
	Name     string
	Kind     Kind
	Scale    uint8    // decimal places, KindDecimal only
	Optional bool     // absent and null are then presence 0 instead of an error
	Path     []string // member names from the data's root; [Name] unless the manifest says otherwise
}

// kindNames are the spellings in a manifest.
var kindNames = [...]string{
	KindUint: "uint", KindInt: "int", KindDecimal: "decimal", KindBool: "bool",
	KindString: "string", KindBytes: "bytes", KindTime: "time",
}

// String is the kind's spelling in a manifest.
func (k Kind) String() string {
	if int(k) < len(kindNames) && k > 0 {
		return kindNames[k]
	}
	return "unknown"
}

// Handler finds the subscription to an event type of a ledger; "" is this one.
func (m *Manifest) Handler(ledger, eventType string) (handler uint32, ok bool) {
	for i := range m.Events {
		if m.Events[i].Type == eventType && m.Events[i].Ledger == ledger {
			return uint32(i), true
		}
	}
	return 0, false
}

// Call finds a call by name.
func (m *Manifest) Call(name string) (handler uint32, ok bool) { return findMethod(m.Calls, name) }

// Query finds a query by name.
func (m *Manifest) Query(name string) (handler uint32, ok bool) { return findMethod(m.Queries, name) }

func findMethod(methods []Method, name string) (uint32, bool) {
	for i := range methods {
		if methods[i].Name == name {
			return uint32(i), true
		}
	}
	return 0, false
}
