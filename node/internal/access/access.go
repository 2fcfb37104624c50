// Package access knows who may use what of a node that writes on their behalf:
// bearers of tokens, which a file in the node's home names by their hashes.
package access

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
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

// FileName is the name of the tokens' file inside a node's home. Whoever can
// write it can give access; reading it does not help: tokens are random, and
// only their hashes are kept.
const FileName = "api-tokens.json"

// Scopes of a token.
const (
	Produce = "produce" // submit events through the gateway
	Consume = "consume" // keep subscriptions on the node
)

// Token is what one token allows.
type Token struct {
	Name    string        `json:"name"`
	SHA256  protocol.Hash `json:"sha256"` // of the secret
	Scopes  []string      `json:"scopes"`
	Sources []string      `json:"sources,omitempty"` // prefixes that events' sources must have; none is any
	Types   []string      `json:"types,omitempty"`   // likewise of their types
	Rate    Rate          `json:"rate,omitzero"`     // of what it submits
	Since   time.Time     `json:"since"`
	Until   time.Time     `json:"until,omitzero"` // when it ends
}

const (
	maxTokens  = 10_000
	maxName    = 64
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

// File is a file of tokens as it is now: a change holds within a second.
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

// Find answers the token with a secret. The time it takes does not depend on
// how much of the secret is right.
func (f *File) Find(secret string) (Token, bool, error) {
	tokens, err := f.current()
	if err != nil {
		return Token{}, false, err
	}
	hash := sha256.Sum256([]byte(secret))
	found := -1
	for i := range tokens {
		if subtle.ConstantTimeCompare(hash[:], tokens[i].SHA256[:]) == 1 {
			found = i
		}
	}
	if found < 0 {
		return Token{}, false, nil
	}
	return tokens[found], true, nil
}

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
	return tokens, nil
}

// Add makes a token in a home's file and answers its secret, which is kept nowhere.
func Add(home string, t Token) (secret string, err error) {
	if t.Name == "" || len(t.Name) > maxName {
		return "", fmt.Errorf("a token's name has 1 to %d bytes", maxName)
	}
	if len(t.Scopes) == 0 {
		return "", fmt.Errorf("a token needs a scope: %s or %s", Produce, Consume)
	}
	for _, scope := range t.Scopes {
		if scope != Produce && scope != Consume {
			return "", fmt.Errorf("scope %q is not known; %s and %s are", scope, Produce, Consume)
		}
	}
	var random [32]byte
	if _, err := rand.Read(random[:]); err != nil {
		return "", err
	}
	secret = secretHead + base64.RawURLEncoding.EncodeToString(random[:])
	t.SHA256 = sha256.Sum256([]byte(secret))
	return secret, change(home, func(tokens []Token) ([]Token, error) {
		if slices.ContainsFunc(tokens, func(other Token) bool { return other.Name == t.Name }) {
			return nil, fmt.Errorf("a token %q is there; revoke it first, or choose another name", t.Name)
		}
		if len(tokens) == maxTokens {
			return nil, fmt.Errorf("there are %d tokens; revoke some", maxTokens)
		}
		return append(tokens, t), nil
	})
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
