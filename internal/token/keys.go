package token

// Signing keys: one asymmetric key with the algorithm it is bound to and the times of its life.

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// SigningKey signs access tokens and ID tokens. A key is first published (from CreatedAt), then signs (from UseFrom),
// then is only published, so that what it signed still verifies, and retires at RetireAt; a zero RetireAt means that no
// end is set. A retired key that is kept is for hints alone (ParseHint). It never prints its private half.
type SigningKey struct {
	ID        string // RFC 7638 thumbprint of the public half: SHA-256 in base64url
	Alg       string // ES256, EdDSA or RS256
	Private   crypto.Signer
	CreatedAt time.Time
	UseFrom   time.Time
	RetireAt  time.Time
}

// Unscheduled is the UseFrom of a key that waits until it is given another: it never signs by itself.
var Unscheduled = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// Format and LogValue keep the private half out of logs and errors, whatever the verb.
func (k SigningKey) Format(f fmt.State, _ rune)   { _, _ = io.WriteString(f, k.String()) }
func (k SigningKey) String() string               { return k.Alg + " key " + k.ID + " " + redaction }
func (k SigningKey) GoString() string             { return k.String() }
func (k SigningKey) LogValue() slog.Value         { return slog.StringValue(k.String()) }
func (k SigningKey) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

const rsaBits = 2048 // RFC 7518 §3.3: 2048 or larger

// NewSigningKey makes a key for ES256 (RFC 7518 §3.4), EdDSA (Ed25519, RFC 8037 §3.1) or RS256 (RFC 7518 §3.3); any
// other algorithm is an error. The caller sets the times.
func NewSigningKey(alg string) (SigningKey, error) {
	var private crypto.Signer
	var err error
	switch alg {
	case "ES256":
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "EdDSA":
		_, private, err = ed25519.GenerateKey(rand.Reader)
	case "RS256":
		private, err = rsa.GenerateKey(rand.Reader, rsaBits)
	default:
		err = fmt.Errorf("unknown algorithm %q; use ES256, EdDSA or RS256", alg)
	}
	if err != nil {
		return SigningKey{}, fmt.Errorf("make signing key: %w", err)
	}
	return newSigningKey(alg, private)
}

// MarshalPrivate returns the private half in PKCS #8 (RFC 5208), for Seal and nothing else.
func (k SigningKey) MarshalPrivate() ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(k.Private)
	if err != nil {
		return nil, fmt.Errorf("marshal signing key: %w", err)
	}
	return der, nil
}

// ParseSigningKey reads what MarshalPrivate wrote, and computes the ID again. A key that does not fit the algorithm is
// an error: a key is used with one algorithm only (RFC 8725 §3.1). The caller sets the times.
func ParseSigningKey(alg string, der []byte) (SigningKey, error) {
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return SigningKey{}, fmt.Errorf("parse signing key: %w", ErrMalformed)
	}
	private, ok := parsed.(crypto.Signer)
	if !ok {
		return SigningKey{}, fmt.Errorf("parse signing key: %T cannot sign", parsed)
	}
	return newSigningKey(alg, private)
}

func newSigningKey(alg string, private crypto.Signer) (SigningKey, error) {
	if !fits(alg, private) {
		return SigningKey{}, fmt.Errorf("use signing key: %T does not fit %q", private, alg)
	}
	jwk := jose.JSONWebKey{Key: private.Public()}
	thumbprint, err := jwk.Thumbprint(crypto.SHA256)
	if err != nil {
		return SigningKey{}, fmt.Errorf("compute key id: %w", err)
	}
	return SigningKey{ID: base64.RawURLEncoding.EncodeToString(thumbprint), Alg: alg, Private: private}, nil
}

// fits is the one place that binds algorithms to keys.
func fits(alg string, private crypto.Signer) bool {
	if private == nil {
		return false
	}
	switch public := private.Public().(type) {
	case *ecdsa.PublicKey:
		return alg == "ES256" && public.Curve == elliptic.P256()
	case ed25519.PublicKey:
		return alg == "EdDSA"
	case *rsa.PublicKey:
		return alg == "RS256" && public.N.BitLen() >= rsaBits
	default:
		return false
	}
}

// retired tells whether the key is no longer to be published or used, nor believed but for hints.
func (k SigningKey) retired(now time.Time) bool {
	return !k.RetireAt.IsZero() && !now.Before(k.RetireAt)
}
