package token

// What a forger makes of a good token of ours: access tokens and hints meet the same.

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

// sign makes a token with any header and payload, by the library directly.
func sign(t *testing.T, alg jose.SignatureAlgorithm, key any, header map[jose.HeaderKey]any, payload string) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, &jose.SignerOptions{ExtraHeaders: header})
	if err != nil {
		t.Fatal(err)
	}
	jws, err := signer.Sign([]byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// payloadOf is what a token says, changed.
func payloadOf(t *testing.T, raw string, change func(map[string]any)) string {
	t.Helper()
	claims := part(t, raw, 1)
	change(claims)
	text, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// otherIssuers are not issuer.
var otherIssuers = []string{"", audience, issuer + "/", strings.ToUpper(issuer), strings.TrimPrefix(issuer, "https:")}

// attacks are tokens, by name, whose payload is right for the kind and which are none of ours: what RFC 8725 §2 and §3
// warn of. key is an RS256 key of the ring, beside the ES256 key of the tests.
func attacks(t *testing.T, key SigningKey, kind, payload string) map[string]string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key.Private.Public())
	if err != nil {
		t.Fatal(err)
	}
	asSecret := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	own, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	type header = map[jose.HeaderKey]any
	with := func(name jose.HeaderKey, value any) header {
		return header{"typ": kind, "kid": key.ID, name: value}
	}
	swapped := map[string]string{AccessType: PlainType, PlainType: AccessType}[kind]
	cased := map[string]string{AccessType: "AT+JWT", PlainType: "jwt"}[kind]
	unsigned := encoding.EncodeToString([]byte(`{"alg":"none","kid":"`+key.ID+`","typ":"`+kind+`"}`)) + "." +
		encoding.EncodeToString([]byte(payload)) + "."
	long := strings.TrimSuffix(payload, "}") + `,"address":"` + strings.Repeat("x", maxJWT) + `"}`
	return map[string]string{
		"alg none":                   unsigned,
		"HS256 under the public key": sign(t, jose.HS256, asSecret, with("typ", kind), payload),
		"HS256 under its DER":        sign(t, jose.HS256, der, with("typ", kind), payload),
		"RS512":                      sign(t, jose.RS512, key.Private, with("typ", kind), payload),
		"PS256":                      sign(t, jose.PS256, key.Private, with("typ", kind), payload),
		"the other key's id":         sign(t, jose.ES256, signingKey(t, "ES256").Private, with("typ", kind), payload),
		"another key, our id":        sign(t, jose.RS256, own, with("typ", kind), payload),
		"typ swapped":                sign(t, jose.RS256, key.Private, with("typ", swapped), payload),
		"typ of a refresh token":     sign(t, jose.RS256, key.Private, with("typ", "rt+jwt"), payload),
		"typ of a logout token":      sign(t, jose.RS256, key.Private, with("typ", "logout+jwt"), payload),
		"typ in its long form":       sign(t, jose.RS256, key.Private, with("typ", "application/"+kind), payload),
		"typ in another case":        sign(t, jose.RS256, key.Private, with("typ", cased), payload),
		"no typ":                     sign(t, jose.RS256, key.Private, header{"kid": key.ID}, payload),
		"no kid":                     sign(t, jose.RS256, key.Private, header{"typ": kind}, payload),
		"kid of another type":        sign(t, jose.RS256, key.Private, header{"typ": kind, "kid": 1}, payload),
		"jku":                        sign(t, jose.RS256, own, with("jku", "https://evil.example/jwks"), payload),
		"jku, right key":             sign(t, jose.RS256, key.Private, with("jku", "https://evil.example/jwks"), payload),
		"x5u":                        sign(t, jose.RS256, own, with("x5u", "https://evil.example/x5u"), payload),
		"jwk of its own":             sign(t, jose.RS256, own, with("jwk", jose.JSONWebKey{Key: own.Public()}), payload),
		"crit":                       sign(t, jose.RS256, key.Private, with("crit", []string{"exp"}), payload),
		"an extra field, right key":  sign(t, jose.RS256, key.Private, with("cty", "JWT"), payload),
		"longer than is read":        sign(t, jose.RS256, key.Private, with("typ", kind), long),
		"a refresh token":            knownRefresh,
		"a one-time token":           knownOneTime,
		"a one-time token, dressed":  knownOneTime + "." + knownOneTime + "." + knownOneTime,
	}
}
