package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"
)

// tlsFiles are what nodes are known by, and what they know the caller by.
type tlsFiles struct {
	authorities, certificate, key string
}

func (f *tlsFiles) flags(cmd *cobra.Command) {
	flags := cmd.PersistentFlags()
	flags.StringVar(&f.authorities, "ca", os.Getenv("CAIRN_CA"), "`FILE` of the authorities of nodes' certificates, in PEM, instead of the system's (CAIRN_CA)")
	flags.StringVar(&f.certificate, "client-cert", os.Getenv("CAIRN_CLIENT_CERT"), "`FILE` of the certificate to be known by, in PEM (CAIRN_CLIENT_CERT)")
	flags.StringVar(&f.key, "client-key", os.Getenv("CAIRN_CLIENT_KEY"), "`FILE` of that certificate's key (CAIRN_CLIENT_KEY)")
}

// config reads the files; nil where there are none.
func (f *tlsFiles) config() (*tls.Config, error) {
	if *f == (tlsFiles{}) {
		return nil, nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if f.authorities != "" {
		text, err := os.ReadFile(f.authorities)
		if err != nil {
			return nil, usageError{fmt.Errorf("--ca: %w", err)}
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(text) {
			return nil, usageError{fmt.Errorf("--ca: %s holds no certificate in PEM", f.authorities)}
		}
	}
	if (f.certificate == "") != (f.key == "") {
		return nil, usageError{errors.New("--client-cert and --client-key go together")}
	}
	if f.certificate == "" {
		return config, nil
	}
	pair, err := tls.LoadX509KeyPair(f.certificate, f.key)
	if err != nil {
		return nil, usageError{fmt.Errorf("--client-cert, --client-key: %w", err)}
	}
	config.Certificates = []tls.Certificate{pair}
	return config, nil
}
