package protocol

import (
	"encoding/binary"
	"fmt"
)

// Deploy stores a contract's module and creates the contract. Its address is
// ContractAddress(sender, name in the manifest).
type Deploy struct {
	Code     []byte // WebAssembly module
	Manifest []byte // JSON, as contracts/abi defines it
	Args     []byte // JSON arguments of the contract's initialisation; empty means {}
}

// Kind is TxDeploy.
func (*Deploy) Kind() TxKind { return TxDeploy }

func (d *Deploy) check(what string) error {
	switch {
	case len(d.Code) == 0 || len(d.Code) > MaxCodeBytes:
		return Refuse(CodeTooLarge, "%s: module has %d bytes, must have 1 to %d", what, len(d.Code), MaxCodeBytes)
	case len(d.Manifest) == 0 || len(d.Manifest) > MaxManifestBytes:
		return Refuse(CodeTooLarge, "%s: manifest has %d bytes, must have 1 to %d", what, len(d.Manifest), MaxManifestBytes)
	case len(d.Args) > MaxArgsBytes:
		return Refuse(CodeTooLarge, "%s: arguments have %d bytes, the limit is %d", what, len(d.Args), MaxArgsBytes)
	}
	return nil
}

func (d *Deploy) appendBody(dst []byte) ([]byte, error) {
	if err := d.check("deploy"); err != nil {
		return nil, err
	}
	return d.append(dst), nil
}

func (d *Deploy) append(dst []byte) []byte {
	dst = appendBytes(dst, d.Code)
	dst = appendBytes(dst, d.Manifest)
	return appendBytes(dst, d.Args)
}

func decodeDeploy(r *reader) (*Deploy, error) {
	d := &Deploy{}
	return d, d.decode(r, "deploy")
}

func (d *Deploy) decode(r *reader, what string) error {
	d.Code = append([]byte(nil), r.bytes(MaxCodeBytes, "module")...)
	d.Manifest = append([]byte(nil), r.bytes(MaxManifestBytes, "manifest")...)
	d.Args = append([]byte(nil), r.bytes(MaxArgsBytes, "arguments")...)
	if err := r.malformed(what); err != nil {
		return err
	}
	return d.check(what)
}

// Upgrade gives a contract other code, and runs the migration that brings it
// along. The contract keeps its address, name, state and place in the log.
type Upgrade struct {
	Contract Address
	Deploy   // Args are those of the migration
}

// Kind is TxUpgrade.
func (*Upgrade) Kind() TxKind { return TxUpgrade }

func (u *Upgrade) appendBody(dst []byte) ([]byte, error) {
	if err := u.check("upgrade"); err != nil {
		return nil, err
	}
	return u.append(append(dst, u.Contract[:]...)), nil
}

func decodeUpgrade(r *reader) (*Upgrade, error) {
	u := &Upgrade{}
	copy(u.Contract[:], r.take(20, "contract"))
	return u, u.decode(r, "upgrade")
}

// Action is what a Control does to a contract.
type Action uint8

// Actions. The numbers are part of the protocol.
const (
	// ActionPause stops deliveries, timers and calls; the queue grows.
	ActionPause Action = 1
	// ActionResume undoes ActionPause.
	ActionResume Action = 2
	// ActionRedeliver delivers a dead letter's entry again; when that
	// succeeds, it is a dead letter no more.
	ActionRedeliver Action = 3
	// ActionSkip drops a dead letter for good, or gives up the entry that is
	// being retried.
	ActionSkip Action = 4
)

var actionNames = [...]string{ActionPause: "pause", ActionResume: "resume", ActionRedeliver: "redeliver", ActionSkip: "skip"}

// String is the action's published name.
func (a Action) String() string {
	if int(a) < len(actionNames) && a > 0 {
		return actionNames[a]
	}
	return fmt.Sprintf("action-%d", uint8(a))
}

// Indexed says whether the action is on one entry of the log.
func (a Action) Indexed() bool { return a == ActionRedeliver || a == ActionSkip }

// Control is what a contract's author does to it beside calling it.
type Control struct {
	Contract Address
	Action   Action
	Index    uint64 // log index of the entry, for actions on one; else 0
}

// Kind is TxControl.
func (*Control) Kind() TxKind { return TxControl }

func (c *Control) check() error {
	switch {
	case c.Action < ActionPause || c.Action > ActionSkip:
		return Refuse(CodeMalformed, "control: action %d is not known", c.Action)
	case !c.Action.Indexed() && c.Index != 0:
		return Refuse(CodeMalformed, "control: %s is not about an entry, the index must be 0", c.Action)
	}
	return nil
}

func (c *Control) appendBody(dst []byte) ([]byte, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	dst = append(append(dst, c.Contract[:]...), byte(c.Action))
	return binary.BigEndian.AppendUint64(dst, c.Index), nil
}

func decodeControl(r *reader) (*Control, error) {
	c := &Control{}
	copy(c.Contract[:], r.take(20, "contract"))
	c.Action, c.Index = Action(r.u8("action")), r.u64("index")
	if err := r.malformed("control"); err != nil {
		return nil, err
	}
	return c, c.check()
}

// Call runs a method of a contract.
type Call struct {
	Contract Address
	Method   string
	Args     []byte // JSON arguments; empty means {}
}

// Kind is TxCall.
func (*Call) Kind() TxKind { return TxCall }

func (c *Call) check() error {
	switch {
	case len(c.Method) == 0 || len(c.Method) > MaxMethodName:
		return Refuse(CodeMalformed, "call: method name has %d characters, must have 1 to %d", len(c.Method), MaxMethodName)
	case len(c.Args) > MaxArgsBytes:
		return Refuse(CodeTooLarge, "call: arguments have %d bytes, the limit is %d", len(c.Args), MaxArgsBytes)
	}
	return nil
}

func (c *Call) appendBody(dst []byte) ([]byte, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	dst = append(dst, c.Contract[:]...)
	dst = appendBytes(dst, c.Method)
	return appendBytes(dst, c.Args), nil
}

func decodeCall(r *reader) (*Call, error) {
	c := &Call{}
	copy(c.Contract[:], r.take(20, "contract"))
	c.Method = r.string(MaxMethodName, "method")
	c.Args = append([]byte(nil), r.bytes(MaxArgsBytes, "arguments")...)
	if err := r.malformed("call"); err != nil {
		return nil, err
	}
	return c, c.check()
}
