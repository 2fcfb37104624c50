package access

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// Door says who a request is from.
type Door struct {
	Grants       *File
	Certificates *Certificates // that TLS is served by; nil without TLS
	Issuer       *Issuer       // of JWTs; nil takes none
}

// Caller answers the grant of whoever made a request, for a scope. What the
// request says in its header Authorization decides, where it has one, and the
// certificate that its connection was made with otherwise. What is refused has
// CodeUnauthenticated where the caller is not known and CodeUnauthorized where
// it may not; CodeUnavailable where the issuer's keys are out of reach.
func (d *Door) Caller(ctx context.Context, scope, authorization string, channel *tls.ConnectionState) (Token, error) {
	now := time.Now()
	if authorization != "" {
		return d.bearer(ctx, scope, authorization, now)
	}
	name, err := d.Certificates.name(channel, now)
	if err != nil {
		return Token{}, err
	}
	if name == "" {
		return Token{}, errNobody
	}
	found, err := d.Grants.find(scope, now, func(t *Token) bool { return t.Certificate == name })
	if errors.Is(err, errNoGrant) {
		return found, protocol.Refuse(protocol.CodeUnauthenticated, "this node grants nothing to the certificate %q; its operator does with `cairnd token add NAME --certificate`", clip(name))
	}
	return found, err
}

var errNobody = protocol.Refuse(protocol.CodeUnauthenticated, "this needs a token: send `Authorization: Bearer ...`, or show a client certificate; the node's operator grants access to either with `cairnd token add`")

func (d *Door) bearer(ctx context.Context, scope, authorization string, now time.Time) (Token, error) {
	scheme, secret, _ := strings.Cut(authorization, " ")
	secret = strings.TrimSpace(secret)
	if !strings.EqualFold(scheme, "Bearer") || secret == "" {
		return Token{}, errNobody
	}
	if d.Issuer != nil && strings.Count(secret, ".") == 2 { // an API token has no dot
		return d.claims(ctx, scope, secret, now)
	}
	hash := protocol.Hash(sha256.Sum256([]byte(secret)))
	found, err := d.Grants.find(scope, now, func(t *Token) bool { return t.SHA256 == hash })
	if errors.Is(err, errNoGrant) {
		return found, protocol.Refuse(protocol.CodeUnauthenticated, "this node does not know the token; it may have been revoked")
	}
	return found, err
}

func (d *Door) claims(ctx context.Context, scope, text string, now time.Time) (Token, error) {
	claims, err := d.Issuer.Verify(ctx, text, now)
	if err != nil {
		return Token{}, err
	}
	found, err := d.Grants.find(scope, now, func(t *Token) bool { return t.Claim != "" && says(claims[t.Claim], t.Value) })
	if errors.Is(err, errNoGrant) {
		subject, _ := claims["sub"].(string)
		return found, protocol.Refuse(protocol.CodeUnauthorized, "the JWT of %q is in order, and this node grants nothing to its claims; its operator does with `cairnd token add NAME --claim`", clip(subject))
	}
	return found, err
}

// says whether a claim is a text, or a list that holds it.
func says(claim any, value string) bool {
	if list, ok := claim.([]any); ok {
		return slices.ContainsFunc(list, func(one any) bool { return one == value })
	}
	return claim == value
}

func clip(s string) string { return s[:min(len(s), 80)] }
