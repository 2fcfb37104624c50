package access

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// provider is an OpenID provider on loopback, as far as verifiers know it.
type provider struct {
	t       *testing.T
	server  *httptest.Server
	fetches atomic.Int64

	mu     sync.Mutex
	keys   []jose.JSONWebKey // private; guarded by mu
	broken []byte            // is answered instead of the set, where not nil; guarded by mu
}

const issuerName, audience = "https://issuer.example", "cairn-harbour"

func newProvider(t *testing.T) *provider {
	p := &provider{t: t}
	p.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		p.fetches.Add(1)
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.broken != nil {
			w.Write(p.broken)
			return
		}
		w.Write(p.set())
	}))
	t.Cleanup(p.server.Close)
	return p
}

// set is the public keys and, as providers publish, some that are of no use.
func (p *provider) set() []byte {
	public := []any{
		map[string]any{"kty": "oct", "kid": "hmac", "k": base64.RawURLEncoding.EncodeToString(bytes.Repeat([]byte("k"), 32))},
		map[string]any{"kty": "of-the-future", "kid": "x"},
	}
	for i := range p.keys {
		public = append(public, p.keys[i].Public())
	}
	text, err := json.Marshal(map[string]any{"keys": public})
	if err != nil {
		p.t.Error(err)
	}
	return text
}

// rotate adds a key of an algorithm; with drop the others go.
func (p *provider) rotate(id string, algorithm jose.SignatureAlgorithm, drop bool) *jose.JSONWebKey {
	p.t.Helper()
	var private crypto.PrivateKey
	var err error
	switch algorithm {
	case jose.RS256:
		private, err = rsa.GenerateKey(rand.Reader, 2048)
	case jose.ES256:
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	default:
		_, private, err = ed25519.GenerateKey(rand.Reader)
	}
	if err != nil {
		p.t.Fatal(err)
	}
	key := jose.JSONWebKey{Key: private, KeyID: id, Algorithm: string(algorithm), Use: "sig"}
	p.mu.Lock()
	defer p.mu.Unlock()
	if drop {
		p.keys = nil
	}
	p.keys = append(p.keys, key)
	return &key
}

func (p *provider) issuer() *Issuer {
	p.t.Helper()
	i, err := NewIssuer(IssuerConfig{Name: issuerName, Audience: audience, Keys: p.server.URL, Log: quiet})
	if err != nil {
		p.t.Fatal(err)
	}
	return i
}

func (p *provider) breakDown(text []byte) { p.mu.Lock(); p.broken = text; p.mu.Unlock() }

// claimSet is that of a token in order, with what is changed of it; nil takes a claim away.
func claimSet(now time.Time, changes map[string]any) map[string]any {
	claims := map[string]any{"iss": issuerName, "aud": audience, "sub": "meter7", "exp": now.Add(time.Minute).Unix(), "iat": now.Unix()}
	for name, value := range changes {
		claims[name] = value
		if value == nil {
			delete(claims, name)
		}
	}
	return claims
}

// signed makes a token; headers may be overridden, alg among them.
func signed(t testing.TB, key *jose.JSONWebKey, algorithm jose.SignatureAlgorithm, claims map[string]any, headers ...string) string {
	t.Helper()
	options := (&jose.SignerOptions{}).WithType("JWT")
	for i := 0; i+1 < len(headers); i += 2 {
		options = options.WithHeader(jose.HeaderKey(headers[i]), headers[i+1])
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: key}, options)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	object, err := signer.Sign(text)
	if err != nil {
		t.Fatal(err)
	}
	out, err := object.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func segment(v any) string {
	text, _ := json.Marshal(v)
	return base64.RawURLEncoding.EncodeToString(text)
}

func TestJWTsOfTheIssuerAlone(t *testing.T) {
	p := newProvider(t)
	es, rs, ed := p.rotate("es", jose.ES256, false), p.rotate("rs", jose.RS256, false), p.rotate("ed", jose.EdDSA, false)
	i, now, ctx := p.issuer(), time.Now(), context.Background()
	for _, key := range []*jose.JSONWebKey{es, rs, ed} {
		algorithm := jose.SignatureAlgorithm(key.Algorithm)
		claims, err := i.Verify(ctx, signed(t, key, algorithm, claimSet(now, map[string]any{"aud": []string{"other", audience}})), now)
		if err != nil || claims["sub"] != "meter7" {
			t.Errorf("%s: %v", algorithm, err)
		}
		nameless := *key
		nameless.KeyID = ""
		if _, err := i.Verify(ctx, signed(t, &nameless, algorithm, claimSet(now, nil)), now); err != nil {
			t.Errorf("%s without kid: %v", algorithm, err)
		}
	}
	der, err := x509.MarshalPKIXPublicKey(rs.Public().Key)
	if err != nil {
		t.Fatal(err)
	}
	confused := &jose.JSONWebKey{Key: der, KeyID: "rs"}
	foreign := newProvider(t).rotate("es", jose.ES256, false)
	embedded := segment(map[string]any{"alg": "ES256", "kid": "mine", "jwk": foreign.Public()})
	good := signed(t, es, jose.ES256, claimSet(now, nil))
	parts := strings.Split(good, ".")
	for name, c := range map[string]struct{ token, want string }{
		"expired":          {signed(t, es, jose.ES256, claimSet(now, map[string]any{"exp": now.Add(-31 * time.Second).Unix()})), "expired"},
		"no exp":           {signed(t, es, jose.ES256, claimSet(now, map[string]any{"exp": nil})), "no exp"},
		"not yet":          {signed(t, es, jose.ES256, claimSet(now, map[string]any{"nbf": now.Add(32 * time.Second).Unix()})), "not valid before"},
		"of the future":    {signed(t, es, jose.ES256, claimSet(now, map[string]any{"iat": now.Add(time.Hour).Unix()})), "to come"},
		"wrong audience":   {signed(t, es, jose.ES256, claimSet(now, map[string]any{"aud": "other"})), "audience"},
		"no audience":      {signed(t, es, jose.ES256, claimSet(now, map[string]any{"aud": nil})), "audience"},
		"wrong issuer":     {signed(t, es, jose.ES256, claimSet(now, map[string]any{"iss": issuerName + "/"})), "issuer"},
		"none":             {segment(map[string]any{"alg": "none", "typ": "JWT"}) + "." + parts[1] + ".", "RS256, ES256, EdDSA"},
		"HS256":            {signed(t, confused, jose.HS256, claimSet(now, nil)), "RS256, ES256, EdDSA"},
		"HS256 by oct":     {signed(t, &jose.JSONWebKey{Key: bytes.Repeat([]byte("k"), 32), KeyID: "hmac"}, jose.HS256, claimSet(now, nil)), "RS256, ES256, EdDSA"},
		"another's key":    {signed(t, foreign, jose.ES256, claimSet(now, nil)), "signature"},
		"its own key":      {embedded + "." + parts[1] + "." + parts[2], "no ES256 key"},
		"another alg":      {signed(t, &jose.JSONWebKey{Key: es.Key, KeyID: "rs"}, jose.ES256, claimSet(now, nil)), "no ES256 key"},
		"changed claims":   {parts[0] + "." + segment(claimSet(now, map[string]any{"sub": "root"})) + "." + parts[2], "signature"},
		"a logout token":   {signed(t, es, jose.ES256, claimSet(now, nil), "typ", "logout+jwt"), "type"},
		"unknown critical": {segment(map[string]any{"alg": "ES256", "kid": "es", "crit": []string{"x"}, "x": 1}) + "." + parts[1] + "." + parts[2], ""},
		"no JSON":          {"a.b.c", "no JWT"},
		"too long":         {good + strings.Repeat("A", maxJWT), "over"},
	} {
		_, err := i.Verify(ctx, c.token, now)
		if !isCode(err, protocol.CodeUnauthenticated) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Keys come and go; whoever sends tokens with unknown keys makes no traffic.
func TestKeysRotateAndStormsStayHere(t *testing.T) {
	p := newProvider(t)
	first := p.rotate("k1", jose.EdDSA, true)
	i, now, ctx := p.issuer(), time.Now(), context.Background()
	verify := func(key *jose.JSONWebKey, at time.Time) error {
		_, err := i.Verify(ctx, signed(t, key, jose.EdDSA, claimSet(at, nil)), at)
		return err
	}
	if err := verify(first, now); err != nil {
		t.Fatal(err)
	}
	stranger := newProvider(t)
	storm := func(at time.Time) {
		var work sync.WaitGroup
		for n := range 40 {
			token := signed(t, stranger.rotate(strings.Repeat("x", n+1), jose.EdDSA, true), jose.EdDSA, claimSet(at, nil))
			work.Go(func() {
				if _, err := i.Verify(ctx, token, at); err == nil {
					t.Error("a stranger's token is taken")
				}
			})
		}
		work.Wait()
	}
	storm(now)
	if n := p.fetches.Load(); n != 1 {
		t.Errorf("%d fetches, 1 at the start", n)
	}
	second := p.rotate("k2", jose.EdDSA, true)
	later := now.Add(fetchPause + time.Second)
	if err := verify(second, later); err != nil {
		t.Errorf("after rotation: %v", err)
	}
	if err := verify(first, later); !isCode(err, protocol.CodeUnauthenticated) {
		t.Errorf("a key that went: %v", err)
	}
	p.breakDown(bytes.Repeat([]byte(" "), maxKeySet+1))
	at := later
	for range 30 { // five minutes, and the issuer is of no use
		at = at.Add(10 * time.Second)
		storm(at)
		if err := verify(second, at); err != nil {
			t.Errorf("a known key: %v", err)
		}
	}
	if n := p.fetches.Load() - 2; n < 4 || n > 12 {
		t.Errorf("%d fetches of a broken issuer in five minutes", n)
	}
	if _, err := i.Verify(ctx, signed(t, first, jose.EdDSA, claimSet(at, nil)), at); !isCode(err, protocol.CodeUnavailable) {
		t.Errorf("an unknown key meanwhile: %v", err)
	}
	p.breakDown(nil)
	third := p.rotate("k3", jose.EdDSA, true)
	if err := verify(third, at.Add(lastBackOff+fetchWithin)); err != nil {
		t.Errorf("after it is mended: %v", err)
	}
}

func TestKeysInAFileAndWhereTheyMayComeFrom(t *testing.T) {
	p := newProvider(t)
	key := p.rotate("k1", jose.ES256, true)
	path := filepath.Join(t.TempDir(), "keys.json")
	config := IssuerConfig{Name: issuerName, Audience: audience, Keys: path, Log: quiet}
	for name, text := range map[string]string{"no set": "{", "no key": `{"keys":[]}`, "private": jsonOf(map[string]any{"keys": []any{key}})} {
		write(t, path, []byte(text))
		if _, err := NewIssuer(config); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	write(t, path, p.set())
	i, err := NewIssuer(config)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	if _, err := i.Verify(context.Background(), signed(t, key, jose.ES256, claimSet(now, nil)), now); err != nil {
		t.Error(err)
	}
	next := p.rotate("k2-after", jose.ES256, false)
	write(t, path, p.set())
	now = now.Add(2 * time.Second)
	if _, err := i.Verify(context.Background(), signed(t, next, jose.ES256, claimSet(now, nil)), now); err != nil {
		t.Errorf("a file that changed: %v", err)
	}
	for where, ok := range map[string]bool{
		"https://issuer.example/keys": true, "http://127.0.0.1:9/keys": true, "http://[::1]/": true, "http://localhost/k": true,
		"http://issuer.example/keys": false, "http://127.0.0.1.example/": false, "http://": false, "http://localhost@evil.example/": false,
	} {
		if err := CheckKeysURL(where); (err == nil) != ok {
			t.Errorf("%s: %v", where, err)
		}
	}
	redirects := httptest.NewServer(http.RedirectHandler(p.server.URL, http.StatusFound))
	defer redirects.Close()
	config.Keys = redirects.URL
	if i, err = NewIssuer(config); err != nil {
		t.Fatal(err)
	}
	if _, err := i.Verify(context.Background(), signed(t, key, jose.ES256, claimSet(now, nil)), now); !isCode(err, protocol.CodeUnavailable) || p.fetches.Load() != 0 {
		t.Errorf("a redirection: %v", err)
	}
}

func jsonOf(v any) string {
	text, _ := json.Marshal(v)
	return string(text)
}

// A claim leads to a grant as a secret does.
func TestClaimsLeadToGrants(t *testing.T) {
	p, home := newProvider(t), t.TempDir()
	key := p.rotate("k1", jose.ES256, true)
	door := &Door{Grants: Open(home), Issuer: p.issuer()}
	for _, token := range []Token{
		{Name: "meter7", Claim: "sub", Value: "meter7", Scopes: []string{Produce}, Sources: []string{"/meter7/"}},
		{Name: "readers", Claim: "groups", Value: "readers", Scopes: []string{Consume}},
	} {
		if secret, err := Add(home, token); err != nil || secret != "" {
			t.Fatal(secret, err)
		}
	}
	ask := func(scope string, claims map[string]any) (string, error) {
		token, err := door.Caller(context.Background(), scope, "Bearer "+signed(t, key, jose.ES256, claimSet(time.Now(), claims)), nil)
		return token.Name, err
	}
	both := map[string]any{"groups": []any{"others", map[string]any{}, "readers"}}
	if name, err := ask(Produce, both); name != "meter7" || err != nil {
		t.Error(name, err)
	}
	if name, err := ask(Consume, both); name != "readers" || err != nil {
		t.Error(name, err)
	}
	for _, claims := range []map[string]any{{"sub": "meter8"}, {"sub": nil}, nil} {
		if _, err := ask(Consume, claims); !isCode(err, protocol.CodeUnauthorized) {
			t.Errorf("%v: %v", claims, err)
		}
	}
	if err := Revoke(home, "meter7"); err != nil {
		t.Fatal(err)
	}
	door.Grants.looked = time.Time{}
	if name, err := ask(Produce, both); !isCode(err, protocol.CodeUnauthorized) {
		t.Error("a revoked grant: ", name, err)
	}
	for _, token := range []Token{
		{Name: "x", Scopes: []string{Produce}, Claim: "sub"},
		{Name: "x", Scopes: []string{Produce}, Claim: "sub", Value: "v", Certificate: "cn:x"},
		{Name: "x", Scopes: []string{Produce}, Certificate: "bridge2"},
		{Name: "x", Scopes: []string{Produce}, Certificate: "dns:Bridge2"},
		{Name: "x", Scopes: []string{"all"}},
	} {
		if _, err := Add(home, token); err == nil {
			t.Errorf("%+v is granted", token)
		}
	}
}

// Whatever arrives as a JWT, it is refused with a code and does no harm; only
// what the issuer signed is taken.
func FuzzVerify(f *testing.F) {
	private := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))
	key := jose.JSONWebKey{Key: private, KeyID: "k", Algorithm: "EdDSA", Use: "sig"}
	path := filepath.Join(f.TempDir(), "keys.json")
	write(f, path, []byte(jsonOf(map[string]any{"keys": []any{key.Public()}})))
	i, err := NewIssuer(IssuerConfig{Name: issuerName, Audience: audience, Keys: path, Log: quiet})
	if err != nil {
		f.Fatal(err)
	}
	now := time.Unix(1_800_000_000, 0)
	good := signed(f, &key, jose.EdDSA, claimSet(now, nil))
	parts := strings.Split(good, ".")
	for _, text := range []string{good, "", "..", parts[0] + ".." + parts[2], segment(map[string]any{"alg": "none"}) + "." + parts[1] + ".",
		segment(map[string]any{"alg": "EdDSA", "kid": 7, "crit": []int{1}}) + "." + parts[1] + "." + parts[2], "e30.bnVsbA.AA"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		claims, err := i.Verify(context.Background(), text, now)
		if err == nil && jsonOf(claims) != jsonOf(claimSet(now, nil)) { // the last bits of its base64 may differ
			t.Fatalf("%q is taken", text)
		}
		if _, coded := protocol.CodeOf(err); err != nil && !coded {
			t.Fatalf("%q: %v", text, err)
		}
	})
}
