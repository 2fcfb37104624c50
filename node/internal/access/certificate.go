package access

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// CertificateName is what a client certificate is granted by. It is the first
// URI among the certificate's subject alternative names, as "uri:...", as SPIFFE
// and workload identities have it; without one the first DNS name, as "dns:..."
// in lower case; without one the subject's common name, as "cn:...". It is empty
// where the certificate has none of the three. The kind is part of the name, so
// that an authority that lets people choose their common name does not let them
// choose a host's.
func CertificateName(c *x509.Certificate) string {
	switch {
	case len(c.URIs) > 0:
		return "uri:" + c.URIs[0].String()
	case len(c.DNSNames) > 0:
		return "dns:" + strings.ToLower(c.DNSNames[0])
	case c.Subject.CommonName != "":
		return "cn:" + c.Subject.CommonName
	}
	return ""
}

func checkCertificateName(name string) error {
	kind, rest, _ := strings.Cut(name, ":")
	switch {
	case len(name) > maxMatch:
		return fmt.Errorf("a certificate's name has at most %d bytes", maxMatch)
	case rest == "" || kind != "uri" && kind != "dns" && kind != "cn":
		return fmt.Errorf("certificate %q: must be uri:URI, dns:HOST or cn:NAME", name)
	case kind == "dns" && rest != strings.ToLower(rest):
		return fmt.Errorf("certificate %q: DNS names are written in lower case", name)
	}
	return nil
}

// CertificateFiles are the files that TLS is served by, in PEM.
type CertificateFiles struct {
	Certificate string // of the server, with its intermediates
	Key         string // of the certificate
	ClientCAs   string // authorities of client certificates; empty asks for none
}

// Certificates serves TLS by files. What replaces them holds for connections
// made a second later; while it cannot be read, what was read last holds. It is
// safe for concurrent use.
type Certificates struct {
	files CertificateFiles
	log   *slog.Logger

	mu     sync.Mutex
	serves *tls.Config          // made of the files; guarded by mu
	stamps map[string]fileStamp // of what was read, or could not be; guarded by mu
	looked time.Time            // guarded by mu
}

// OpenCertificates reads the files. An error names what is wrong with them.
func OpenCertificates(files CertificateFiles, log *slog.Logger) (*Certificates, error) {
	c := &Certificates{files: files, log: log}
	var err error
	if c.stamps, err = c.stamp(); err != nil {
		return nil, err
	}
	c.looked = time.Now()
	c.serves, err = c.read()
	return c, err
}

// Config is for a server. Client certificates are asked for where there are
// authorities; a caller may have none, and one of another authority fails the
// handshake.
func (c *Certificates) Config() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"},
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return c.current(), nil },
	}
}

func (c *Certificates) stamp() (map[string]fileStamp, error) {
	stamps := map[string]fileStamp{}
	for _, path := range []string{c.files.Certificate, c.files.Key, c.files.ClientCAs} {
		if path == "" {
			continue
		}
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		stamps[path] = fileStamp{info.ModTime(), info.Size()}
	}
	return stamps, nil
}

func (c *Certificates) read() (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(c.files.Certificate, c.files.Key)
	if err != nil {
		var path *fs.PathError
		if errors.As(err, &path) {
			return nil, err
		}
		return nil, fmt.Errorf("%s and %s: %w", c.files.Certificate, c.files.Key, err)
	}
	config := &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}
	if c.files.ClientCAs == "" {
		return config, nil
	}
	text, err := os.ReadFile(c.files.ClientCAs)
	if err != nil {
		return nil, err
	}
	config.ClientCAs, config.ClientAuth = x509.NewCertPool(), tls.VerifyClientCertIfGiven
	if !config.ClientCAs.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s holds no certificate in PEM", c.files.ClientCAs)
	}
	return config, nil
}

func (c *Certificates) current() *tls.Config {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.looked) < time.Second {
		return c.serves
	}
	c.looked = time.Now()
	stamps, err := c.stamp()
	if err == nil && maps.Equal(stamps, c.stamps) {
		return c.serves
	}
	var next *tls.Config
	if err == nil {
		next, err = c.read()
	}
	if err != nil { // perhaps half written: said at each look until it is mended
		c.log.Warn("TLS files changed and cannot be used; what was read before is served", "err", err)
		return c.serves
	}
	c.serves, c.stamps = next, stamps
	c.log.Info("TLS files were read again", "certificate", c.files.Certificate)
	return c.serves
}

// name verifies the certificate that a connection was made with, once more: its
// authority may have been taken away since, and connections outlive
// certificates. It answers "" where there is none.
func (c *Certificates) name(channel *tls.ConnectionState, now time.Time) (string, error) {
	if c == nil || channel == nil || len(channel.PeerCertificates) == 0 {
		return "", nil
	}
	roots := c.current().ClientCAs
	if roots == nil {
		return "", nil
	}
	options := x509.VerifyOptions{
		Roots: roots, Intermediates: x509.NewCertPool(), CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	for _, between := range channel.PeerCertificates[1:] {
		options.Intermediates.AddCert(between)
	}
	leaf := channel.PeerCertificates[0]
	if _, err := leaf.Verify(options); err != nil {
		return "", protocol.Refuse(protocol.CodeUnauthenticated, "the client certificate does not hold: %v", err)
	}
	name := CertificateName(leaf)
	if name == "" {
		return "", protocol.Refuse(protocol.CodeUnauthenticated, "the client certificate has no URI, no DNS name and no common name to be known by")
	}
	return name, nil
}
