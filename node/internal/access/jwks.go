package access

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// Bounds of what an issuer is asked, whatever tokens arrive: anybody can make
// one that names an unknown key.
const (
	maxKeySet    = 256 << 10 // bytes
	maxKeys      = 64
	fetchWithin  = 5 * time.Second
	fetchPause   = 10 * time.Second // at least, between two fetches that succeeded
	firstBackOff = time.Second      // after one that failed, doubling
	lastBackOff  = time.Minute
	keysOutlast  = 10 * time.Minute // after it keys are fetched again, so that one taken away ends
	maxWaiting   = 64               // requests that wait for a fetch
)

// keySet is the keys of an issuer as they are now.
type keySet struct {
	where  string
	remote bool
	http   *http.Client
	log    *slog.Logger

	mu       sync.Mutex
	keys     []jose.JSONWebKey // guarded by mu
	fetched  time.Time         // when keys was; guarded by mu
	next     time.Time         // before it nothing is fetched; guarded by mu
	failures int               // in a row; guarded by mu
	busy     chan struct{}     // closed when the fetch under way has ended; nil without one; guarded by mu
	waiting  int               // requests that wait for busy; guarded by mu
	stamp    fileStamp         // of the file that was read; guarded by mu
}

func newKeySet(c IssuerConfig) (*keySet, error) {
	k := &keySet{where: c.Keys, remote: IsURL(c.Keys), log: c.Log}
	if !k.remote {
		return k, k.readFile(time.Now())
	}
	if err := CheckKeysURL(c.Keys); err != nil {
		return nil, err
	}
	client := http.Client{}
	if c.HTTP != nil {
		client = *c.HTTP
	}
	client.Timeout = fetchWithin
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return errors.New("it redirects; name where the keys are") }
	k.http = &client
	k.mu.Lock()
	k.fetch(time.Now())
	k.mu.Unlock()
	return k, nil
}

// IsURL tells a URL from a file.
func IsURL(where string) bool {
	return strings.HasPrefix(where, "https://") || strings.HasPrefix(where, "http://")
}

// CheckKeysURL refuses a URL that somebody between could answer for.
func CheckKeysURL(where string) error {
	u, err := url.Parse(where)
	if err != nil || u.Host == "" {
		return fmt.Errorf("%q is no URL", where)
	}
	ip := net.ParseIP(u.Hostname())
	if u.Scheme != "https" && u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("%q: keys come by https, or by http from this machine alone", where)
	}
	return nil
}

// find answers the key that a token names. For a key that is not known the
// issuer is asked again, once for all who wait and no more often than the
// bounds above allow.
func (k *keySet) find(ctx context.Context, id string, algorithm jose.SignatureAlgorithm, now time.Time) (any, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.remote {
		if err := k.readFile(now); err != nil {
			k.log.Warn("the issuer's keys cannot be read; those read before hold", "err", err)
		}
	} else if now.Sub(k.fetched) > keysOutlast {
		k.fetch(now) // and go on with those known, until it has ended
	}
	if key := k.named(id, algorithm); key != nil {
		return key, nil
	}
	if k.remote {
		k.fetch(now)
		if err := k.wait(ctx); err != nil {
			return nil, err
		}
		if key := k.named(id, algorithm); key != nil {
			return key, nil
		}
	}
	if len(k.keys) == 0 || k.failures > 0 {
		return nil, protocol.Refuse(protocol.CodeUnavailable, "the keys of the JWT's issuer are out of reach; send it again in a second")
	}
	return nil, protocol.Refuse(protocol.CodeUnauthenticated, "the issuer has no %s key %q", algorithm, clip(id))
}

// named finds a known key. A token without a key's id means the only one there
// is for its algorithm. The caller holds mu.
func (k *keySet) named(id string, algorithm jose.SignatureAlgorithm) (found any) {
	for i := range k.keys {
		key := &k.keys[i]
		if !suits(key, algorithm) || id != "" && key.KeyID != id {
			continue
		}
		if found != nil {
			return nil // two answer to it
		}
		found = key.Key
	}
	return found
}

// wait waits for the fetch under way. The caller holds mu, which is free meanwhile.
func (k *keySet) wait(ctx context.Context) error {
	busy := k.busy
	if busy == nil {
		return nil
	}
	if k.waiting == maxWaiting {
		return protocol.Refuse(protocol.CodeUnavailable, "the issuer's keys are being fetched; send it again in a second")
	}
	k.waiting++
	k.mu.Unlock()
	select {
	case <-busy:
	case <-ctx.Done():
	}
	k.mu.Lock()
	k.waiting--
	return nil
}

// fetch begins to fetch the keys, unless that is under way or too early. The
// caller holds mu.
func (k *keySet) fetch(now time.Time) {
	if k.busy != nil || now.Before(k.next) {
		return
	}
	busy, began := make(chan struct{}), time.Now()
	k.busy = busy
	go func() {
		keys, err := k.download()
		now := now.Add(time.Since(began))
		k.mu.Lock()
		defer k.mu.Unlock()
		k.busy = nil
		close(busy)
		if err != nil {
			k.next = now.Add(min(lastBackOff, firstBackOff<<min(k.failures, 10)))
			k.failures++
			k.log.Warn("the keys of the JWTs' issuer cannot be fetched", "from", k.where, "err", err)
			return
		}
		k.keys, k.fetched, k.failures, k.next = keys, now, 0, now.Add(fetchPause)
	}()
}

func (k *keySet) download() ([]jose.JSONWebKey, error) {
	response, err := k.http.Get(k.where)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("it answers %s", response.Status)
	}
	text, err := io.ReadAll(io.LimitReader(response.Body, maxKeySet+1))
	if err != nil {
		return nil, err
	}
	return parseKeys(text)
}

// readFile reads a file of keys that has changed. The caller holds mu, or is
// alone.
func (k *keySet) readFile(now time.Time) error {
	if now.Sub(k.fetched) < time.Second {
		return nil
	}
	k.fetched = now
	info, err := os.Stat(k.where)
	if err != nil {
		return err
	}
	stamp := fileStamp{info.ModTime(), info.Size()}
	if stamp == k.stamp {
		return nil
	}
	if info.Size() > maxKeySet {
		return fmt.Errorf("%s is over %d bytes", k.where, maxKeySet)
	}
	text, err := os.ReadFile(k.where)
	if err != nil {
		return err
	}
	keys, err := parseKeys(text)
	if err != nil {
		return fmt.Errorf("%s: %w", k.where, err)
	}
	k.keys, k.stamp = keys, stamp
	return nil
}

// parseKeys reads a JWK set. Keys of other uses and kinds are passed over, as
// RFC 7517 section 5 says; a set without one that can be used is an error.
func parseKeys(text []byte) (keys []jose.JSONWebKey, err error) {
	if len(text) > maxKeySet {
		return nil, fmt.Errorf("the JWK set is over %d bytes", maxKeySet)
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(text, &set); err != nil {
		return nil, fmt.Errorf("it is no JWK set: %w", err)
	}
	if len(set.Keys) > maxKeys {
		return nil, fmt.Errorf("the JWK set has %d keys; at most %d are read", len(set.Keys), maxKeys)
	}
	for _, one := range set.Keys {
		var key jose.JSONWebKey
		if key.UnmarshalJSON(one) == nil && usable(&key) { // a private or a symmetric key is not
			keys = append(keys, key)
		}
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("the JWK set has no public key for %s", algorithmNames())
	}
	return keys, nil
}
