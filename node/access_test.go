package node

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/cairn-ledger/cairn/client"
	"github.com/cairn-ledger/cairn/client/rest"
	"github.com/cairn-ledger/cairn/node/internal/access/accesstest"
)

// secured is a node that is served by TLS and takes callers of three kinds.
type secured struct {
	*solo
	clients *accesstest.Authority
	key     *ecdsa.PrivateKey // of the issuer of JWTs
	roots   *x509.CertPool
}

const testIssuer, testAudience = "https://issuer.example", "cairn-test"

func newSecured(t *testing.T) *secured {
	t.Helper()
	s := &secured{solo: found(t), clients: accesstest.NewAuthority(t, "clients"), roots: x509.NewCertPool()}
	if err := WriteAccountKey(filepath.Join(s.home, GatewayKeyFile), "gateway", s.network.Accounts["producer"]); err != nil {
		t.Fatal(err)
	}
	servers := accesstest.NewAuthority(t, "servers")
	servers.Server(filepath.Join(s.home, "tls.pem"), filepath.Join(s.home, "tls.key"))
	s.write("clients.pem", accesstest.PEM(s.clients.Cert))
	s.roots.AddCert(servers.Cert)
	var err error
	if s.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	issuer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &s.key.PublicKey, KeyID: "1", Algorithm: "ES256", Use: "sig"}}})
	}))
	t.Cleanup(issuer.Close)
	s.config.TLSCertificate, s.config.TLSKey, s.config.TLSClientCAs = "tls.pem", "tls.key", "clients.pem"
	s.config.JWTIssuer, s.config.JWTAudience, s.config.JWTKeys = testIssuer, testAudience, issuer.URL
	if err := s.config.Validate(); err != nil {
		t.Fatal(err)
	}
	s.web.Transport = s.transport()
	return s
}

func (s *secured) transport(certificates ...tls.Certificate) *http.Transport {
	transport := &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: s.roots, Certificates: certificates}}
	s.t.Cleanup(transport.CloseIdleConnections)
	return transport
}

func (s *secured) grant(token Token) (secret string) {
	s.t.Helper()
	secret, err := AddToken(s.home, token)
	if err != nil {
		s.t.Fatal(err)
	}
	return secret
}

func (s *secured) jwt(claims map[string]any) string {
	s.t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: s.key, KeyID: "1"}}, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	text, err := jwt.Signed(signer).Claims(map[string]any{"iss": testIssuer, "aud": testAudience, "exp": time.Now().Add(time.Minute).Unix()}).Claims(claims).Serialize()
	if err != nil {
		s.t.Fatal(err)
	}
	return text
}

// send submits one event of a source and waits until the ledger has it.
func (s *secured) send(secret, source string) (*http.Response, rest.Submission, string) {
	s.t.Helper()
	s.nonce++
	event := fmt.Sprintf(`{"specversion":"1.0","id":"%d","source":"%s","type":"t.v1"}`, s.nonce, source)
	return s.post("/v1/events?wait=10s", secret, event, "Content-Type", structured)
}

// Events of a producer with a certificate, of one with a JWT and of one with a
// token come to the ledger over TLS, each within what it was granted.
func TestCallersOfThreeKindsOverTLS(t *testing.T) {
	s := newSecured(t)
	secret := s.grant(Token{Name: "token", Scopes: []string{"produce"}, Sources: []string{"/token"}})
	s.grant(Token{Name: "certificate", Scopes: []string{"produce", "consume"}, Sources: []string{"/certificate"}, Certificate: "uri:spiffe://harbour/bridge2"})
	s.grant(Token{Name: "claim", Scopes: []string{"produce"}, Sources: []string{"/claim"}, Claim: "roles", Value: "meters"})
	s.start()
	s.gatewayUp()
	plain, mutual := s.web.Transport, s.transport(s.clients.Client("spiffe://harbour/bridge2", "", ""))
	for _, c := range []struct {
		transport      http.RoundTripper
		secret, source string
		status         int
		says           string
	}{
		{plain, secret, "/token", 200, ""},
		{plain, s.jwt(map[string]any{"roles": []string{"meters"}}), "/claim", 200, ""},
		{mutual, "", "/certificate", 200, ""},
		{mutual, secret, "/token", 200, ""}, // the header decides
		{mutual, "", "/token", 403, `\"certificate\" is not for source`},
		{mutual, "cairn_wrong", "/certificate", 401, "does not know the token"},
		{plain, "", "/certificate", 401, "needs a token"},
		{plain, s.jwt(map[string]any{"sub": "x"}), "/claim", 403, "grants nothing to its claims"},
		{plain, s.jwt(map[string]any{"roles": "meters", "aud": "others"}), "/claim", 401, "audience"},
	} {
		s.web.Transport = c.transport
		response, out, text := s.send(c.secret, c.source)
		if response.StatusCode != c.status || !strings.Contains(text, c.says) || c.status == 200 && out.State != rest.StateCommitted || response.ProtoMajor != 1 {
			t.Errorf("%s %.20s: %d %s", c.source, c.secret, response.StatusCode, text)
		}
		if challenge := response.Header.Get("WWW-Authenticate"); (c.status == 401) != (challenge == "Bearer") {
			t.Errorf("%d with the challenge %q", response.StatusCode, challenge)
		}
	}
	s.follows(mutual)
	stranger := &tls.Config{RootCAs: s.roots, GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		other := accesstest.NewAuthority(t, "clients").Client("spiffe://harbour/bridge2", "", "")
		return &other, nil
	}}
	for _, config := range []*tls.Config{stranger, nil} { // another's certificate, another's server: refused at once, not after a minute of tries
		c, err := client.New(client.Config{Nodes: []string{"https://" + s.config.APIAddress}, ChainID: "cairn-test", TLS: config, GiveUpAfter: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Head(t.Context()); err == nil || !strings.Contains(err.Error(), "tls: ") {
			t.Errorf("a stranger is told %v", err)
		}
	}
}

// follows has a consumer known by its certificate read through the SDK.
func (s *secured) follows(mutual *http.Transport) {
	s.t.Helper()
	c, err := client.New(client.Config{Nodes: []string{"https://" + s.config.APIAddress}, ChainID: "cairn-test", TLS: mutual.TLSClientConfig.Clone()})
	if err != nil {
		s.t.Fatal(err)
	}
	subscriptions := c.Subscriptions(c.Config().Nodes[0], "")
	if _, err := subscriptions.Create(s.t.Context(), rest.NewSubscription{Name: "all", From: "beginning"}); err != nil {
		s.t.Fatal(err)
	}
	if _, err := AddToken(s.home, Token{Name: "all", Scopes: []string{"consume"}}); err != nil { // the same name as the subscription's, another caller
		s.t.Fatal(err)
	}
	s.web.Transport = mutual
	var list rest.Subscriptions
	s.get("/v1/subscriptions", &list)
	if len(list.Subscriptions) != 1 || list.Subscriptions[0].Owner != "certificate" {
		s.t.Errorf("subscriptions of the certificate: %+v", list)
	}
}

// A token that is used faster than its rate is told to wait, over HTTP too, and
// by as much as its debt; others are not.
func TestRatesAnswer429(t *testing.T) {
	s, secret := withGateway(t, Token{Scopes: []string{"produce"}})
	slow, err := AddToken(s.home, Token{Name: "slow", Scopes: []string{"produce"}, Rate: TokenRate{Events: 2}})
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(1100 * time.Millisecond) // the node looks at its file once a second
	batch := func(secret string, from int) (*http.Response, string) {
		var events []string
		for i := range 62 {
			events = append(events, fmt.Sprintf(`{"specversion":"1.0","id":"%d","source":"/s","type":"t.v1"}`, from+i))
		}
		response, _, text := s.post("/v1/events", secret, "["+strings.Join(events, ",")+"]", "Content-Type", "application/cloudevents-batch+json")
		return response, text
	}
	if response, text := batch(slow, 0); response.StatusCode != http.StatusAccepted {
		t.Fatalf("a request of any size passes once: %d %s", response.StatusCode, text)
	}
	response, text := batch(slow, 100)
	wait, err := strconv.Atoi(response.Header.Get("Retry-After"))
	var problem rest.Problem
	if json.Unmarshal([]byte(text), &problem) != nil || response.StatusCode != http.StatusTooManyRequests || err != nil || wait < 2 || wait > 31 || !problem.Retryable ||
		!strings.Contains(problem.Message, `"slow" may submit 2 events a second`) {
		t.Errorf("beyond its rate: %d, Retry-After %q: %s", response.StatusCode, response.Header.Get("Retry-After"), text)
	}
	if response, text := batch(secret, 200); response.StatusCode != http.StatusAccepted {
		t.Errorf("another token meanwhile: %d %s", response.StatusCode, text)
	}
}

func TestSettingsOfCallersGoTogether(t *testing.T) {
	for want, change := range map[string]func(*Config){
		"tls_certificate, tls_key": func(c *Config) { c.TLSKey = "k" },
		"tls_client_cas":           func(c *Config) { c.TLSClientCAs = "k" },
		"jwt_issuer":               func(c *Config) { c.JWTKeys = "k" },
		"jwt_audience, jwt_keys":   func(c *Config) { c.JWTIssuer, c.JWTKeys = "i", "k" },
		"http from this machine":   func(c *Config) { c.JWTIssuer, c.JWTAudience, c.JWTKeys = "i", "a", "http://issuer.example/" },
	} {
		c := Default()
		change(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	s := found(t)
	s.config.TLSCertificate, s.config.TLSKey = "none.pem", "none.key"
	if n, err := Open(s.home, s.config, t.Output()); err == nil || !strings.Contains(err.Error(), "none.pem") {
		n.Close()
		t.Errorf("a missing certificate: %v", err)
	}
}
