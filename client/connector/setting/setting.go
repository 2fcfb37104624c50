// Package setting is what settings of several sources and sinks are made of:
// secrets, durations, TLS.
package setting

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// maxSecretBytes bounds a secret's file.
const maxSecretBytes = 64 << 10

// Secret is a text that stands in an environment variable or a file, so that
// settings can be kept where others read them: {env: NAME} or {file: PATH}. A
// plain text is taken too.
type Secret struct{ plain, env, file string }

// UnmarshalYAML reads the three forms.
func (s *Secret) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind == yaml.ScalarNode {
		s.plain = node.Value
		return nil
	}
	if node.Kind != yaml.MappingNode || len(node.Content) != 2 {
		return fmt.Errorf("line %d: a secret is {env: NAME}, {file: PATH} or a text", node.Line)
	}
	switch value := node.Content[1].Value; node.Content[0].Value {
	case "env":
		s.env = value
	case "file":
		s.file = value
	default:
		return fmt.Errorf("line %d: unknown field %q; a secret is {env: NAME}, {file: PATH} or a text", node.Line, node.Content[0].Value)
	}
	return nil
}

// IsZero says that no secret was given.
func (s *Secret) IsZero() bool { return *s == Secret{} }

// PlainSecret is a secret that is at hand.
func PlainSecret(text string) Secret { return Secret{plain: text} }

// Text fetches the secret; a line's end after it in a file is no part of it.
func (s *Secret) Text() (string, error) {
	switch {
	case s.env != "":
		text, there := os.LookupEnv(s.env)
		if !there || text == "" {
			return "", fmt.Errorf("the environment variable %s is not set", s.env)
		}
		return text, nil
	case s.file != "":
		info, err := os.Stat(s.file)
		if err != nil {
			return "", err
		}
		if info.Size() > maxSecretBytes {
			return "", fmt.Errorf("%s has %d bytes; a secret has %d at most", s.file, info.Size(), maxSecretBytes)
		}
		text, err := os.ReadFile(s.file)
		return strings.TrimRight(string(text), "\r\n"), err
	}
	return s.plain, nil
}

// Duration is written as Go writes them: 500ms, 20s, 5m.
type Duration time.Duration

// UnmarshalYAML reads one.
func (d *Duration) UnmarshalYAML(node *yaml.Node) error {
	parsed, err := time.ParseDuration(node.Value)
	if err != nil || parsed < 0 {
		return fmt.Errorf("line %d: %q is not a duration such as 500ms, 20s or 5m", node.Line, node.Value)
	}
	*d = Duration(parsed)
	return nil
}

// Or is the duration, or another where none was given.
func (d Duration) Or(other time.Duration) time.Duration {
	if d == 0 {
		return other
	}
	return time.Duration(d)
}

// TLS says how a connection is secured. An empty one trusts the system's
// authorities.
type TLS struct {
	CA         string `yaml:"ca"`          // file of certificates to trust instead of the system's
	Cert       string `yaml:"cert"`        // file of the certificate to show
	Key        string `yaml:"key"`         // file of its key
	ServerName string `yaml:"server_name"` // where it is not the address's
}

// Load reads the files; nil stays nil: no TLS.
func (t *TLS) Load() (*tls.Config, error) {
	if t == nil {
		return nil, nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName}
	if t.CA != "" {
		text, err := os.ReadFile(t.CA)
		if err != nil {
			return nil, fmt.Errorf("tls: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("tls: %s holds no certificate in PEM", t.CA)
		}
	}
	if (t.Cert == "") != (t.Key == "") {
		return nil, errors.New("tls: cert and key go together")
	}
	if t.Cert != "" {
		pair, err := tls.LoadX509KeyPair(t.Cert, t.Key)
		if err != nil {
			return nil, fmt.Errorf("tls: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}
