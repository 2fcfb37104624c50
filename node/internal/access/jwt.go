package access

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// algorithms that a JWT may be signed with: those of public keys alone, so that
// what verifies a token cannot make one. "none" and the HMACs are refused before
// a key is looked for (RFC 8725, section 3.1).
var algorithms = []jose.SignatureAlgorithm{jose.RS256, jose.ES256, jose.EdDSA}

const (
	maxJWT     = 8 << 10          // bytes
	leeway     = 30 * time.Second // that the issuer's clock and this node's may differ
	minRSABits = 2048
)

// IssuerConfig says whose JWTs are taken. Name, Audience and Keys are required.
type IssuerConfig struct {
	Name     string       // that they have as iss
	Audience string       // that they have in aud
	Keys     string       // JWK set (RFC 7517): a file, an https URL, or an http one of this machine
	HTTP     *http.Client // that fetches it; nil means one with the system's authorities
	Log      *slog.Logger
}

// Issuer verifies the JWTs (RFC 7519) of one issuer, such as an OpenID
// provider. It is safe for concurrent use.
type Issuer struct {
	config IssuerConfig
	keys   *keySet
}

// NewIssuer reads the keys where they are in a file, and begins to fetch them
// where they are not: an issuer that does not answer holds nothing up.
func NewIssuer(c IssuerConfig) (*Issuer, error) {
	keys, err := newKeySet(c)
	return &Issuer{config: c, keys: keys}, err
}

// Verify answers the claims of a JWT in compact form. It must be signed by a key
// of the issuer, be for the audience, have a time of expiry and be within its
// times, 30 s more or less. A refusal has CodeUnauthenticated; CodeUnavailable
// where the issuer's keys are out of reach.
func (i *Issuer) Verify(ctx context.Context, text string, now time.Time) (map[string]any, error) {
	if len(text) > maxJWT {
		return nil, protocol.Refuse(protocol.CodeUnauthenticated, "the JWT is over %d bytes", maxJWT)
	}
	token, err := jwt.ParseSigned(text, algorithms)
	if err != nil {
		return nil, protocol.Refuse(protocol.CodeUnauthenticated, "the bearer's token is no JWT signed with %s: %v", algorithmNames(), err)
	}
	header := token.Headers[0] // of the compact form's one signature
	if kind, ok := header.ExtraHeaders[jose.HeaderType].(string); ok && !isAccess(kind) {
		return nil, protocol.Refuse(protocol.CodeUnauthenticated, "the JWT is of type %q; JWT and at+jwt are taken", clip(kind))
	}
	key, err := i.keys.find(ctx, header.KeyID, jose.SignatureAlgorithm(header.Algorithm), now)
	if err != nil {
		return nil, err
	}
	var named jwt.Claims
	var all map[string]any
	if err := token.Claims(key, &named, &all); err != nil {
		return nil, protocol.Refuse(protocol.CodeUnauthenticated, "the JWT's signature does not hold, or its claims are no JSON object")
	}
	return all, i.holds(&named, now)
}

// holds checks the claims that every JWT must have.
func (i *Issuer) holds(c *jwt.Claims, now time.Time) error {
	refuse := func(format string, args ...any) error {
		return protocol.Refuse(protocol.CodeUnauthenticated, format, args...)
	}
	if c.Expiry == nil {
		return refuse("the JWT has no exp: a token that never ends is not taken")
	}
	expected := jwt.Expected{Issuer: i.config.Name, AnyAudience: jwt.Audience{i.config.Audience}, Time: now}
	err := c.ValidateWithLeeway(expected, leeway)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, jwt.ErrInvalidIssuer):
		return refuse("the JWT is of the issuer %q; this node takes those of %q", clip(c.Issuer), i.config.Name)
	case errors.Is(err, jwt.ErrInvalidAudience):
		return refuse("the JWT is not for the audience %q", i.config.Audience)
	case errors.Is(err, jwt.ErrExpired):
		return refuse("the JWT expired at %s; get a new one", c.Expiry.Time().UTC().Format(time.RFC3339))
	case errors.Is(err, jwt.ErrNotValidYet):
		return refuse("the JWT is not valid before %s", c.NotBefore.Time().UTC().Format(time.RFC3339))
	case errors.Is(err, jwt.ErrIssuedInTheFuture):
		return refuse("the JWT says that it was issued at %s, which is to come", c.IssuedAt.Time().UTC().Format(time.RFC3339))
	}
	return refuse("the JWT: %v", err)
}

// isAccess says whether a token's type is that of an access token (RFC 9068) or
// says nothing. Others, such as logout tokens, have the same issuer and keys.
func isAccess(kind string) bool {
	kind = strings.TrimPrefix(strings.ToLower(kind), "application/")
	return kind == "jwt" || kind == "at+jwt"
}

// suits says whether a key of the issuer's set may verify an algorithm: the key
// says what it is for, never the token.
func suits(k *jose.JSONWebKey, algorithm jose.SignatureAlgorithm) bool {
	if k.Use != "" && k.Use != "sig" || k.Algorithm != "" && k.Algorithm != string(algorithm) {
		return false
	}
	switch key := k.Key.(type) {
	case *rsa.PublicKey:
		return algorithm == jose.RS256 && key.N.BitLen() >= minRSABits
	case *ecdsa.PublicKey:
		return algorithm == jose.ES256 && key.Curve == elliptic.P256()
	case ed25519.PublicKey:
		return algorithm == jose.EdDSA
	}
	return false
}

// usable says whether a key may verify any of them.
func usable(k *jose.JSONWebKey) bool {
	return slices.ContainsFunc(algorithms, func(a jose.SignatureAlgorithm) bool { return suits(k, a) })
}

func algorithmNames() string {
	var names []string
	for _, a := range algorithms {
		names = append(names, string(a))
	}
	return strings.Join(names, ", ")
}
