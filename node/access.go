package node

import (
	"crypto/tls"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/node/internal/access"
)

// Token is what one caller may do, known by an API token, a client certificate
// or a claim of a JWT.
type Token = access.Token

// TokenRate bounds what a token may submit.
type TokenRate = access.Rate

// AddToken makes a grant in a home. It answers the secret of an API token, which
// is kept nowhere, and nothing for a certificate or a claim.
func AddToken(home string, t Token) (secret string, err error) { return access.Add(home, t) }

// RevokeToken removes a home's token by its name.
func RevokeToken(home, name string) error { return access.Revoke(home, name) }

// Tokens lists a home's.
func Tokens(home string) ([]Token, error) { return access.Read(filepath.Join(home, access.FileName)) }

// MakeGatewayKey makes a new gateway key in a home that has none.
func MakeGatewayKey(home string) (protocol.Address, error) {
	key, err := protocol.NewPrivateKey()
	if err != nil {
		return protocol.Address{}, err
	}
	return key.Address(), WriteAccountKey(filepath.Join(home, GatewayKeyFile), "gateway", key)
}

// newDoor makes what knows callers, and what TLS is served by; nil without.
func (n *Node) newDoor(home string) (*access.Door, *tls.Config, error) {
	c, door := &n.config, &access.Door{Grants: access.Open(home)}
	var err error
	if c.JWTIssuer != "" {
		keys := c.JWTKeys
		if !access.IsURL(keys) {
			keys = inHome(home, keys)
		}
		door.Issuer, err = access.NewIssuer(access.IssuerConfig{Name: c.JWTIssuer, Audience: c.JWTAudience, Keys: keys, Log: n.log.With("in", "access")})
		if err != nil {
			return nil, nil, fmt.Errorf("jwt_keys: %w", err)
		}
	}
	if c.TLSCertificate == "" {
		return door, nil, nil
	}
	files := access.CertificateFiles{Certificate: inHome(home, c.TLSCertificate), Key: inHome(home, c.TLSKey)}
	if c.TLSClientCAs != "" {
		files.ClientCAs = inHome(home, c.TLSClientCAs)
	}
	if door.Certificates, err = access.OpenCertificates(files, n.log.With("in", "access")); err != nil {
		return nil, nil, fmt.Errorf("tls_certificate, tls_key, tls_client_cas: %w", err)
	}
	return door, door.Certificates.Config(), nil
}

// validateCallers holds the settings that go together to one another.
func (c *Config) validateCallers() error {
	switch {
	case (c.TLSCertificate == "") != (c.TLSKey == ""):
		return errors.New("tls_certificate, tls_key: one is set without the other")
	case c.TLSClientCAs != "" && c.TLSCertificate == "":
		return errors.New("tls_client_cas: needs tls_certificate and tls_key")
	case c.JWTIssuer == "" && (c.JWTAudience != "" || c.JWTKeys != ""):
		return errors.New("jwt_issuer: must be set where jwt_audience or jwt_keys is")
	case c.JWTIssuer != "" && (c.JWTAudience == "" || c.JWTKeys == ""):
		return errors.New("jwt_audience, jwt_keys: must be set where jwt_issuer is; without an audience, tokens for others would be taken")
	}
	if access.IsURL(c.JWTKeys) {
		if err := access.CheckKeysURL(c.JWTKeys); err != nil {
			return fmt.Errorf("jwt_keys: %w", err)
		}
	}
	return nil
}

func (c *Config) apiScheme() string {
	if c.TLSCertificate != "" {
		return "https"
	}
	return "http"
}
