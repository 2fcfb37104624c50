// Package access knows who may use what of a node that writes on their behalf.
// A file in the node's home grants it to callers, who show an API token, a
// client certificate or a JWT; what a grant allows does not depend on which.
package access

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// FileName is the name of the grants' file inside a node's home. Whoever can
// write it can give access; reading it does not help: tokens are random, and
// only their hashes are kept.
const FileName = "api-tokens.json"

// Scopes of a grant.
const (
	Produce = "produce" // submit events through the gateway
	Consume = "consume" // keep subscriptions on the node
)

// Token is a grant: what one caller may do. The caller is known by exactly one
// of SHA256, Certificate and Claim. Its name is of one grant alone, since rates
// and subscriptions are kept by it.
type Token struct {
	Name        string        `json:"name"`
	SHA256      protocol.Hash `json:"sha256,omitzero"`       // of an API token's secret
	Certificate string        `json:"certificate,omitempty"` // name of a client certificate, as CertificateName renders it
	Claim       string        `json:"claim,omitempty"`       // of a JWT, whose value or one of whose values is Value
	Value       string        `json:"value,omitempty"`
	Scopes      []string      `json:"scopes"`
	Sources     []string      `json:"sources,omitempty"` // prefixes that events' sources must have; none is any
	Types       []string      `json:"types,omitempty"`   // likewise of their types
	Rate        Rate          `json:"rate,omitzero"`     // of what it submits
	Since       time.Time     `json:"since"`
	Until       time.Time     `json:"until,omitzero"` // when it ends
}

const (
	maxTokens  = 10_000
	maxName    = 64
	maxMatch   = 1024     // bytes of a certificate's name, of a claim's name and of its value
	secretHead = "cairn_" // so that scanners for leaked secrets find it
)

// Allows says whether the token has a scope now.
func (t *Token) Allows(scope string, now time.Time) bool {
	return slices.Contains(t.Scopes, scope) && (t.Until.IsZero() || now.Before(t.Until))
}

// Covers says whether the token may submit an event.
func (t *Token) Covers(e *protocol.Event) bool {
	return covers(t.Sources, e.Source) && covers(t.Types, e.Type)
}

func covers(prefixes []string, text string) bool {
	return len(prefixes) == 0 || slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(text, p) })
}

// File is a file of grants as it is now: a change holds within a second.
type File struct {
	path string

	mu     sync.Mutex
	tokens []Token   // guarded by mu
	stamp  fileStamp // of what was read; guarded by mu
	looked time.Time // guarded by mu
}

type fileStamp struct {
	changed time.Time
	size    int64
}

// Open names a home's file; it need not be there.
func Open(home string) *File { return &File{path: filepath.Join(home, FileName)} }

// find answers the first grant that matches and allows a scope now. The secret
// of a token is compared by its hash, so time tells nothing of it.
func (f *File) find(scope string, now time.Time, match func(*Token) bool) (Token, error) {
	tokens, err := f.current()
	if err != nil {
		return Token{}, err
	}
	var lacks *Token
	for i := range tokens {
		switch {
		case !match(&tokens[i]):
		case tokens[i].Allows(scope, now):
			return tokens[i], nil
		case lacks == nil:
			lacks = &tokens[i]
		}
	}
	if lacks != nil {
		return Token{}, protocol.Refuse(protocol.CodeUnauthorized, "the token %q lacks the scope %q, or has ended", lacks.Name, scope)
	}
	return Token{}, errNoGrant
}

var errNoGrant = errors.New("no grant")

func (f *File) current() ([]Token, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if time.Since(f.looked) < time.Second {
		return f.tokens, nil
	}
	info, err := os.Stat(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		f.tokens, f.stamp, f.looked = nil, fileStamp{}, time.Now()
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	stamp := fileStamp{info.ModTime(), info.Size()}
	if stamp != f.stamp {
		tokens, err := Read(f.path)
		if err != nil {
			return nil, err
		}
		f.tokens, f.stamp = tokens, stamp
	}
	f.looked = time.Now()
	return f.tokens, nil
}

// Read reads a file of tokens; none where there is no file.
func Read(path string) ([]Token, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var tokens []Token
	if err := json.Unmarshal(text, &tokens); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	for i := range tokens {
		if err := tokens[i].check(); err != nil {
			return nil, fmt.Errorf("%s: grant %d: %w", path, i, err)
		}
	}
	return tokens, nil
}

// check holds a grant's form: what a hand wrote into the file, too.
func (t *Token) check() error {
	if t.Name == "" || len(t.Name) > maxName {
		return fmt.Errorf("a token's name has 1 to %d bytes", maxName)
	}
	if len(t.Scopes) == 0 {
		return fmt.Errorf("a token needs a scope: %s or %s", Produce, Consume)
	}
	for _, scope := range t.Scopes {
		if scope != Produce && scope != Consume {
			return fmt.Errorf("scope %q is not known; %s and %s are", scope, Produce, Consume)
		}
	}
	known := 0
	for _, by := range []bool{!t.SHA256.IsZero(), t.Certificate != "", t.Claim != ""} {
		if by {
			known++
		}
	}
	switch {
	case known != 1:
		return fmt.Errorf("%q must be known by one of a secret, a certificate and a claim", t.Name)
	case t.Certificate != "":
		return checkCertificateName(t.Certificate)
	case (t.Claim == "") != (t.Value == ""):
		return fmt.Errorf("%q: a claim has a name and a value, such as sub=meter7", t.Name)
	case len(t.Claim) > maxMatch || len(t.Value) > maxMatch:
		return fmt.Errorf("%q: a claim's name and value have at most %d bytes each", t.Name, maxMatch)
	}
	return nil
}

// Add makes a grant in a home's file. One that is known by neither a
// certificate nor a claim is an API token's: Add answers its secret, which is
// kept nowhere.
func Add(home string, t Token) (secret string, err error) {
	if t.Certificate == "" && t.Claim == "" {
		var random [32]byte
		if _, err := rand.Read(random[:]); err != nil {
			return "", err
		}
		secret = secretHead + base64.RawURLEncoding.EncodeToString(random[:])
		t.SHA256 = sha256.Sum256([]byte(secret))
	}
	if err := t.check(); err != nil {
		return "", err
	}
	err = change(home, func(tokens []Token) ([]Token, error) {
		if slices.ContainsFunc(tokens, func(other Token) bool { return other.Name == t.Name }) {
			return nil, fmt.Errorf("a token %q is there; revoke it first, or choose another name", t.Name)
		}
		if len(tokens) == maxTokens {
			return nil, fmt.Errorf("there are %d tokens; revoke some", maxTokens)
		}
		return append(tokens, t), nil
	})
	if err != nil {
		return "", err
	}
	return secret, nil
}

// Revoke removes a token by its name.
func Revoke(home, name string) error {
	return change(home, func(tokens []Token) ([]Token, error) {
		left := slices.DeleteFunc(tokens, func(t Token) bool { return t.Name == name })
		if len(left) == len(tokens) {
			return nil, fmt.Errorf("there is no token %q", name)
		}
		return left, nil
	})
}

// change replaces the file as a whole; two changes at once exclude each other.
func change(home string, edit func([]Token) ([]Token, error)) error {
	path := filepath.Join(home, FileName)
	next, err := os.OpenFile(path+".new", os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s.new is there: another change is under way, or was cut off; remove the file if not", path)
	}
	if err != nil {
		return err
	}
	defer os.Remove(path + ".new")
	defer next.Close()
	tokens, err := Read(path)
	if err != nil {
		return err
	}
	if tokens, err = edit(tokens); err != nil {
		return err
	}
	text, err := json.MarshalIndent(tokens, "", "  ")
	if err != nil {
		return err
	}
	if _, err := next.Write(append(text, '\n')); err != nil {
		return err
	}
	if err := next.Sync(); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
