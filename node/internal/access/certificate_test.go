package access

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/node/internal/access/accesstest"
)

var quiet = slog.New(slog.DiscardHandler)

// secured is a server on loopback that answers the caller's grant by its name.
type secured struct {
	t      *testing.T
	home   string
	files  CertificateFiles
	door   *Door
	server *httptest.Server
	roots  *x509.CertPool
}

func newSecured(t *testing.T, servers, clients *accesstest.Authority) *secured {
	t.Helper()
	home := t.TempDir()
	s := &secured{t: t, home: home, roots: x509.NewCertPool(), files: CertificateFiles{
		Certificate: filepath.Join(home, "tls.pem"), Key: filepath.Join(home, "tls.key"), ClientCAs: filepath.Join(home, "clients.pem"),
	}}
	servers.Server(s.files.Certificate, s.files.Key)
	s.roots.AddCert(servers.Cert)
	write(t, s.files.ClientCAs, accesstest.PEM(clients.Cert))
	certificates, err := OpenCertificates(s.files, quiet)
	if err != nil {
		t.Fatal(err)
	}
	s.door = &Door{Grants: Open(home), Certificates: certificates}
	s.server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		grant, err := s.door.Caller(r.Context(), Produce, r.Header.Get("Authorization"), r.TLS)
		if err != nil {
			http.Error(w, err.Error(), http.StatusForbidden)
			return
		}
		io.WriteString(w, grant.Name)
	}))
	s.server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
	s.server.TLS = certificates.Config()
	s.server.StartTLS()
	t.Cleanup(s.server.Close)
	return s
}

func (s *secured) grant(token Token) {
	s.t.Helper()
	token.Scopes = []string{Produce}
	if _, err := Add(s.home, token); err != nil {
		s.t.Fatal(err)
	}
}

// look has the files looked at again, which they are once a second.
func (s *secured) look() {
	s.door.Grants.mu.Lock()
	s.door.Grants.looked = time.Time{}
	s.door.Grants.mu.Unlock()
	s.door.Certificates.mu.Lock()
	s.door.Certificates.looked = time.Time{}
	s.door.Certificates.mu.Unlock()
}

func (s *secured) client(certificates ...tls.Certificate) *http.Client {
	transport := &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: s.roots, GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		if len(certificates) == 0 {
			return &tls.Certificate{}, nil
		}
		return &certificates[0], nil // also one whose authority the server did not ask for
	}}}
	s.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 10 * time.Second}
}

func (s *secured) ask(c *http.Client) (string, error) {
	response, err := c.Get(s.server.URL)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return string(text), err
}

func TestCertificatesNameCallers(t *testing.T) {
	servers, clients, others := accesstest.NewAuthority(t, "servers"), accesstest.NewAuthority(t, "clients"), accesstest.NewAuthority(t, "others")
	s := newSecured(t, servers, clients)
	s.grant(Token{Name: "by-uri", Certificate: "uri:spiffe://harbour/bridge2"})
	s.grant(Token{Name: "by-dns", Certificate: "dns:bridge2.example"})
	s.grant(Token{Name: "by-name", Certificate: "cn:bridge2"})
	for _, c := range []struct{ uri, dns, common, want string }{
		{"spiffe://harbour/bridge2", "bridge2.example", "bridge2", "by-uri"},
		{"", "Bridge2.Example", "bridge2", "by-dns"},
		{"", "", "bridge2", "by-name"},
		{"", "", "bridge2.example", "UNAUTHENTICATED: this node grants nothing"}, // a common name is no DNS name
		{"spiffe://other", "bridge2.example", "bridge2", "UNAUTHENTICATED: this node grants nothing"},
		{"", "", "", "UNAUTHENTICATED: the client certificate has no URI"},
	} {
		got, err := s.ask(s.client(clients.Client(c.uri, c.dns, c.common)))
		if err != nil || !strings.HasPrefix(got, c.want) {
			t.Errorf("%+v: %q %v", c, got, err)
		}
	}
	if got, err := s.ask(s.client()); err != nil || !strings.HasPrefix(got, "UNAUTHENTICATED: this needs a token") {
		t.Errorf("without a certificate: %q %v", got, err)
	}
	if got, err := s.ask(s.client(others.Client("", "", "bridge2"))); err == nil {
		t.Errorf("a certificate of another authority: %q", got)
	}
	forServers := tls.Certificate{}
	cert, key := clients.Sign(&x509.Certificate{DNSNames: []string{"bridge2.example"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	forServers.Certificate, forServers.PrivateKey = [][]byte{cert.Raw}, key
	if got, err := s.ask(s.client(forServers)); err == nil {
		t.Errorf("a certificate that is not for clients: %q", got)
	}
}

// What a connection may do ends with the grant, the authority and the
// certificate, though the connection stays.
func TestOpenConnectionsHeedWhatChanges(t *testing.T) {
	servers, clients, others := accesstest.NewAuthority(t, "servers"), accesstest.NewAuthority(t, "clients"), accesstest.NewAuthority(t, "others")
	s := newSecured(t, servers, clients)
	s.grant(Token{Name: "bridge", Certificate: "cn:bridge2"})
	certificate := clients.Client("", "", "bridge2")
	c := s.client(certificate)
	expect := func(when, want string) {
		t.Helper()
		s.look()
		if got, err := s.ask(c); err != nil || !strings.HasPrefix(got, want) {
			t.Errorf("%s: %q %v", when, got, err)
		}
	}
	expect("granted", "bridge")
	if err := Revoke(s.home, "bridge"); err != nil {
		t.Fatal(err)
	}
	expect("revoked", "UNAUTHENTICATED: this node grants nothing")
	s.grant(Token{Name: "again", Certificate: "cn:bridge2"})
	expect("granted again", "again")
	write(t, s.files.ClientCAs, append(accesstest.PEM(others.Cert), accesstest.PEM(others.Cert)...))
	expect("another authority", "UNAUTHENTICATED: the client certificate does not hold")
	write(t, s.files.ClientCAs, accesstest.PEM(clients.Cert))
	expect("the first authority", "again")
	channel := &tls.ConnectionState{PeerCertificates: []*x509.Certificate{certificate.Leaf}}
	if _, err := s.door.Certificates.name(channel, time.Now().Add(2*time.Hour)); err == nil {
		t.Error("an expired certificate is taken")
	}
	if _, err := s.door.Caller(context.Background(), Consume, "", channel); !isCode(err, protocol.CodeUnauthorized) {
		t.Errorf("another scope: %v", err)
	}
}

func isCode(err error, want protocol.Code) bool {
	code, ok := protocol.CodeOf(err)
	return ok && code == want
}

// The server's certificate is replaced on disk, at first by half of it.
func TestServerCertificateIsReadAgain(t *testing.T) {
	servers, next := accesstest.NewAuthority(t, "servers"), accesstest.NewAuthority(t, "next")
	s := newSecured(t, servers, accesstest.NewAuthority(t, "clients"))
	s.roots.AddCert(next.Cert)
	served := func() string {
		t.Helper()
		s.look()
		c := s.client()
		response, err := c.Get(s.server.URL)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.ProtoMajor != 1 {
			t.Errorf("HTTP/%d is spoken", response.ProtoMajor)
		}
		return response.TLS.PeerCertificates[0].Issuer.CommonName
	}
	if got := served(); got != "servers" {
		t.Errorf("at first: %s", got)
	}
	keep := s.files.Key + ".next"
	cert := next.Server(s.files.Certificate, keep) // the old key does not fit it
	if got := served(); got != "servers" {
		t.Errorf("between: %s", got)
	}
	next.Server(s.files.Certificate, s.files.Key)
	if got := served(); got != "next" {
		t.Errorf("after: %s", got)
	}
	write(t, s.files.Certificate, accesstest.PEM(cert)[:100])
	if _, err := OpenCertificates(s.files, quiet); err == nil || !strings.Contains(err.Error(), "tls.pem") {
		t.Errorf("a damaged certificate: %v", err)
	}
	missing := s.files
	missing.Key = filepath.Join(s.home, "none")
	if _, err := OpenCertificates(missing, quiet); err == nil || errors.Unwrap(err) == nil {
		t.Errorf("a missing key: %v", err)
	}
}

func write(t testing.TB, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}
