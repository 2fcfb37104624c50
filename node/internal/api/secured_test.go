package api

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/cairn-ledger/cairn/node/internal/access"
	"github.com/cairn-ledger/cairn/node/internal/access/accesstest"
)

// serveTLS runs a server over TLS, and answers what its clients trust.
func serveTLS(t *testing.T, b Backend, c Config) (s *Server, address string, trusts *tls.Config) {
	t.Helper()
	authority, dir := accesstest.NewAuthority(t, "servers"), t.TempDir()
	files := access.CertificateFiles{Certificate: filepath.Join(dir, "tls.pem"), Key: filepath.Join(dir, "tls.key")}
	authority.Server(files.Certificate, files.Key)
	certificates, err := access.OpenCertificates(files, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	c.TLS = certificates.Config()
	trusts = &tls.Config{RootCAs: x509.NewCertPool()}
	trusts.RootCAs.AddCert(authority.Cert)
	s, address = serve(t, b, c)
	return s, address, trusts
}

// Over TLS, connections that say nothing, or stop within the handshake or the
// request, make room as they do over plain HTTP.
func TestSlowSecuredConnectionsMakeRoom(t *testing.T) {
	const places = 20
	s, address, trusts := serveTLS(t, newStub(t), Config{MaxConnections: places})
	for range 2 * places {
		open(t, address, "")
		open(t, address, "\x16\x03\x01\x02\x00\x01\x00")
		c, err := tls.Dial("tcp", address, trusts)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		io.WriteString(c, "GET /v1/head HTT")
	}
	transport := &http.Transport{DisableKeepAlives: true, TLSClientConfig: trusts, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: 10 * time.Second}
	for range 5 {
		response, err := client.Get("https://" + address + "/healthz")
		if err != nil || response.StatusCode != http.StatusOK || response.ProtoMajor != 1 {
			t.Fatalf("%v %v", response, err)
		}
		response.Body.Close()
	}
	if held := s.guard.count(); held > places {
		t.Errorf("%d connections are open, %d are allowed", held, places)
	}
}

// A connection over TLS whose request is being answered keeps its place, and
// gives it up after that.
func TestASecuredConnectionAtWorkKeepsItsPlace(t *testing.T) {
	b := newStub(t)
	b.hold = make(chan struct{})
	s, address, trusts := serveTLS(t, b, Config{MaxConnections: 1})
	transport := &http.Transport{TLSClientConfig: trusts}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: 20 * time.Second}
	answered := make(chan error, 1)
	go func() {
		response, err := client.Post("https://"+address+"/v1/transactions", "application/octet-stream", bytes.NewReader(tx))
		if err == nil {
			response.Body.Close()
		}
		answered <- err
	}()
	for s.guard.places() != 0 {
		time.Sleep(time.Millisecond)
	}
	second, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	second.SetReadDeadline(time.Now().Add(10 * time.Second))
	if text, err := io.ReadAll(second); len(text) > 0 || err != nil {
		t.Errorf("a connection too many got %q, %v", text, err)
	}
	close(b.hold)
	if err := <-answered; err != nil {
		t.Errorf("the request that was being answered: %v", err)
	}
	if s.guard.refused.Load() != 1 || s.guard.evicted.Load() != 0 {
		t.Errorf("%d refused, %d evicted", s.guard.refused.Load(), s.guard.evicted.Load())
	}
	for s.guard.places() != 1 {
		time.Sleep(time.Millisecond)
	}
}
