package membership

import (
	"testing"

	"github.com/cairn-ledger/cairn/client/protocol"
)

type memory map[string][]byte

func (m memory) Get(key []byte) ([]byte, bool, error) { v, ok := m[string(key)]; return v, ok, nil }
func (m memory) Set(key, value []byte) error          { m[string(key)] = value; return nil }

func TestRolesAreRequired(t *testing.T) {
	state, a := memory{}, protocol.Address{1}
	if err := Require(state, a, Producer); !isUnauthorized(err) {
		t.Fatalf("an unknown account passed: %v", err)
	}
	roles, err := ParseRoles([]string{"producer", "author"})
	if err != nil || roles.String() != "producer+author" {
		t.Fatal(roles, err)
	}
	if err := SetRoles(state, a, roles); err != nil {
		t.Fatal(err)
	}
	if err := Require(state, a, Author); err != nil {
		t.Fatal(err)
	}
	if err := Require(state, a, Council); !isUnauthorized(err) {
		t.Fatalf("a producer passed as council: %v", err)
	}
	for _, bad := range [][]string{{"king"}, {"author", "author"}} {
		if _, err := ParseRoles(bad); err == nil {
			t.Errorf("%v accepted", bad)
		}
	}
}

func isUnauthorized(err error) bool {
	code, ok := protocol.CodeOf(err)
	return ok && code == protocol.CodeUnauthorized
}
