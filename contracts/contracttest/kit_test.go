package contracttest_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/contracts/abi"
	"github.com/cairn-ledger/cairn/contracts/contracttest"
	"github.com/cairn-ledger/cairn/node/sim/asm"
)

// failing is a test that is expected to fail: it keeps what it was told.
type failing struct {
	testing.TB
	failed   bool
	said     []string
	cleanups []func()
}

func (f *failing) Helper()           {}
func (f *failing) Failed() bool      { return f.failed }
func (f *failing) Cleanup(do func()) { f.cleanups = append(f.cleanups, do) }
func (f *failing) Error(args ...any) { f.Errorf("%s", fmt.Sprint(args...)) }
func (f *failing) Fatal(args ...any) { f.Fatalf("%s", fmt.Sprint(args...)) }

func (f *failing) Errorf(format string, args ...any) {
	f.failed = true
	f.said = append(f.said, fmt.Sprintf(format, args...))
}

func (f *failing) Fatalf(format string, args ...any) {
	f.Errorf(format, args...)
	runtime.Goexit()
}

// complaints runs a test and answers what it said.
func complaints(t *testing.T, test func(t testing.TB)) string {
	f := &failing{TB: t}
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		defer func() {
			for i := len(f.cleanups); i > 0; i-- {
				f.cleanups[i-1]()
			}
		}()
		test(f)
	}()
	<-finished
	return strings.Join(f.said, "\n")
}

// picky refuses everything with 7, and says why.
func picky() []byte {
	return asm.Contract(memory, "", call(abi.HostLog, typeAt, 8)+call(abi.HostAbort, 7, dataAt, len(data))+done)
}

// What a test gets wrong is said with what was expected, what came, and the
// contract's lines.
func TestComplaints(t *testing.T) {
	module, manifest := good()
	deploy := func(t testing.TB) *contracttest.Contract {
		return contracttest.Found(t, contracttest.Options{}).DeployModule(module, manifest, nil)
	}
	refusing := func(t testing.TB) *contracttest.Contract {
		return contracttest.Found(t, contracttest.Options{}).DeployModule(picky(), asm.Manifest("picky", readingType), nil)
	}
	for _, c := range []struct {
		name string
		test func(t testing.TB)
		want []string // none: the test passes
	}{
		{"all is well", func(t testing.TB) {
			l := deploy(t)
			l.Event(readingType, "x", `{}`).WantEmitted("abuse.v1", `{"a": 1.0}`)
			l.Want("count", nil, `1e0`)
		}, nil},
		{"another answer", func(t testing.TB) { deploy(t).Want("count", nil, `1`) },
			[]string{"query count", "expected 1\n", "got      0\n"}},
		{"a refusal that nobody expected", func(t testing.TB) { refusing(t).Event(readingType, "x", `{}`) },
			[]string{"kit_test.go:", "expected no refusal", "picky: CONTRACT_ABORTED with its code 7", "log: abuse.v1", `log: {"a":1}`, "gas"}},
		{"a refusal in the middle", func(t testing.TB) {
			l := refusing(t)
			l.Event(readingType, "x", `{}`)
			l.Event("other.v1", "x", `{}`)
		}, []string{"expected no refusal"}},
		{"another code", func(t testing.TB) { refusing(t).Event(readingType, "x", `{}`).Refused(8) },
			[]string{"expected picky: CONTRACT_ABORTED with its code 8", "got      picky: CONTRACT_ABORTED with its code 7", "log: abuse.v1"}},
		{"the code that was expected", func(t testing.TB) { refusing(t).Event(readingType, "x", `{}`).Refused(7) }, nil},
		{"no refusal where one was expected", func(t testing.TB) { deploy(t).Event(readingType, "x", `{}`).Dead(protocol.CodeOutOfGas) },
			[]string{"expected good: OUT_OF_GAS", "got      success"}},
		{"fewer events", func(t testing.TB) { deploy(t).Event("other.v1", "x", `{}`).WantEmitted("abuse.v1", `{}`) },
			[]string{"expected 1 of abuse.v1", "got      0"}},
		{"other events", func(t testing.TB) { deploy(t).Event(readingType, "x", `{}`).WantEmitted("abuse.v1", `{"a": 2}`) },
			[]string{"a: expected 2, got 1"}},
		{"no such query", func(t testing.TB) { deploy(t).Answer("nothing", nil) }, []string{"METHOD_UNKNOWN"}},
		{"a contract that is not built", func(t testing.TB) { contracttest.Deploy(t, "unbuilt", nil) },
			[]string{"unbuilt is not built", "scripts/build-contracts.sh unbuilt"}},
		{"a call by somebody without the role", func(t testing.TB) { deploy(t).Call("producer", "none", nil) }, []string{"UNAUTHORIZED"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			said := complaints(t, c.test)
			if len(c.want) == 0 && said != "" {
				t.Errorf("it fails: %s", said)
			}
			for _, want := range c.want {
				if !strings.Contains(said, want) {
					t.Errorf("it says\n%s\nwithout %q", said, want)
				}
			}
		})
	}
}

// Two contracts, one of which gets what the other emits; time, causes and gas.
func TestTogether(t *testing.T) {
	module, manifest := good()
	l := contracttest.Found(t, contracttest.Options{Start: "2016-10-04T00:00:00Z"}).DeployModule(module, manifest, nil)
	relay := l.DeployModule(asm.Contract(strings.Replace(memory, "abuse.v1", "relay.v1", 1), "", get+increase+set+emit+done), asm.Manifest("relay", "abuse.v1"), nil)
	l.At("2016-10-05T00:00:00Z")
	r := l.Event(readingType, "x", `{}`, contracttest.Time("2016-10-03T09:00:00Z"), contracttest.From("alice"), contracttest.Source("/a"), contracttest.ID("1"))
	first, second := r.Emitted(""), r.By(relay).Emitted("relay.v1")
	if len(first) != 1 || len(second) != 1 || first[0].Cause != r.Index || second[0].Cause != first[0].Index || first[0].Subject != "n" {
		t.Errorf("event %d led to %+v and %+v", r.Index, first, second)
	}
	if at := second[0].Time.Format("2006-01-02 15"); at != "2016-10-03 09" || l.Sim().Now().Format("2006-01-02") != "2016-10-05" {
		t.Errorf("at %s; the block's time is %s", at, l.Sim().Now())
	}
	if gas := r.Gas(); gas < 20_000 || gas > 40_000 {
		t.Errorf("a delivery took %d gas", gas)
	}
	// The same identity again counts once.
	l.Event(readingType, "x", `{}`, contracttest.From("alice"), contracttest.Source("/a"), contracttest.ID("1"))
	l.WantAll("count", nil, `1`)
}
