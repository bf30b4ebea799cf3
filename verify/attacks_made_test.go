package verify_test

// The tokens of testdata/attacks.json, signed by hand: no library writes most of them. Each differs from a good one in one
// thing, and is otherwise signed as well as whoever sends it could.

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"math/big"
	"os"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

const (
	attackNow      = 1_800_000_000
	attackIssuer   = "https://id.example"
	attackAudience = "https://api.example"
)

type object = map[string]any

func b64(raw []byte) string { return base64.RawURLEncoding.EncodeToString(raw) }

// maker makes tokens with the keys of the table, which nobody has afterwards.
type maker struct {
	t           *testing.T
	es, other   *ecdsa.PrivateKey // both are published
	ed          ed25519.PrivateKey
	rs          *rsa.PrivateKey
	mallory     *ecdsa.PrivateKey // is not
	cases       []attack
	unpublished object // mallory's as a JWK
}

func (m *maker) must(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
}

func (m *maker) add(name, rfc, token string) {
	m.cases = append(m.cases, attack{name, rfc, token, "invalid_token"})
}

func (m *maker) good(name, rfc, token string) {
	m.cases = append(m.cases, attack{name, rfc, token, ""})
}

// with returns a copy of an object with other members; nil takes one away.
func with(o, other object) object {
	o = maps.Clone(o)
	maps.Copy(o, other)
	maps.DeleteFunc(o, func(_ string, value any) bool { return value == nil })
	return o
}

var (
	head   = object{"alg": "ES256", "typ": "at+jwt", "kid": "es"}
	claims = object{
		"iss": attackIssuer, "aud": attackAudience, "sub": "ada", "client_id": "shop", "azp": "shop", "jti": "1", "sid": "s1",
		"iat": attackNow - 60, "nbf": attackNow - 60, "exp": attackNow + 540, "auth_time": attackNow - 60, "scope": "openid email",
	}
)

func (m *maker) text(o any) string {
	if text, ok := o.(string); ok {
		return text
	}
	text, err := json.Marshal(o)
	m.must(err)
	return string(text)
}

// signed signs what may be objects or raw texts.
func (m *maker) signed(head, claims any, key any) string {
	input := b64([]byte(m.text(head))) + "." + b64([]byte(m.text(claims)))
	return input + "." + b64(m.sign(input, key))
}

func (m *maker) sign(input string, key any) []byte {
	digest := sha256.Sum256([]byte(input))
	switch key := key.(type) {
	case *ecdsa.PrivateKey:
		r, s, err := ecdsa.Sign(rand.Reader, key, digest[:])
		m.must(err)
		return append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	case ed25519.PrivateKey:
		return ed25519.Sign(key, []byte(input))
	case *rsa.PrivateKey:
		signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, digest[:])
		m.must(err)
		return signature
	case []byte: // a secret
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(input))
		return mac.Sum(nil)
	case nil:
		return nil
	}
	m.t.Fatalf("no signature by %T", key)
	return nil
}

// ours signs with what the issuer signs with.
func (m *maker) ours(otherHead, otherClaims object) string {
	return m.signed(with(head, otherHead), with(claims, otherClaims), m.es)
}

func writeAttacks(t *testing.T) {
	m := &maker{t: t}
	ec := func() *ecdsa.PrivateKey {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		m.must(err)
		return key
	}
	m.es, m.other, m.mallory = ec(), ec(), ec()
	var err error
	_, m.ed, err = ed25519.GenerateKey(rand.Reader)
	m.must(err)
	m.rs, err = rsa.GenerateKey(rand.Reader, 2048)
	m.must(err)
	raw, err := json.Marshal(jose.JSONWebKey{Key: m.mallory.Public(), KeyID: "mallory", Algorithm: "ES256"})
	m.must(err)
	m.must(json.Unmarshal(raw, &m.unpublished))
	set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{
		{Key: m.es.Public(), KeyID: "es", Algorithm: "ES256", Use: "sig"},
		{Key: m.other.Public(), KeyID: "other", Algorithm: "ES256", Use: "sig"},
		{Key: m.ed.Public(), KeyID: "ed", Algorithm: "EdDSA", Use: "sig"},
		{Key: m.rs.Public(), KeyID: "rs", Algorithm: "RS256", Use: "sig"},
		{Key: m.mallory.Public(), KeyID: "enc", Algorithm: "ES256", Use: "enc"},
		{Key: []byte("a secret that should not be here"), KeyID: "oct", Algorithm: "HS256", Use: "sig"},
	}})
	m.must(err)
	m.fine()
	m.algorithms()
	m.keysOfTheirOwn()
	m.kinds()
	m.meanings()
	m.spellings()
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", " ")
	m.must(encoder.Encode(attacks{attackNow, attackIssuer, attackAudience, set, m.cases}))
	m.must(os.WriteFile(attacksFile, out.Bytes(), 0o644))
}

func (m *maker) fine() {
	m.good("good, ES256", "RFC 9068 §4", m.ours(nil, nil))
	m.good("good, EdDSA", "RFC 9068 §4", m.signed(with(head, object{"alg": "EdDSA", "kid": "ed"}), claims, m.ed))
	m.good("good, RS256", "RFC 9068 §4", m.signed(with(head, object{"alg": "RS256", "kid": "rs"}), claims, m.rs))
	m.good("good, type as a media type", "RFC 9068 §4", m.ours(object{"typ": "application/at+jwt"}, nil))
	m.good("good, a client's own", "RFC 9068 §2.2", m.ours(nil, object{"sub": "shop", "sid": nil, "auth_time": nil}))
	m.good("good, by a clock a minute ahead", "RFC 7519 §4.1.5", m.ours(nil, object{"iat": attackNow + 60, "nbf": attackNow + 60}))
	m.good("good, its last second", "RFC 7519 §4.1.4", m.ours(nil, object{"exp": attackNow + 1}))
	m.good("good, headers that nobody reads", "RFC 8725 §3.10", m.ours(object{
		"jku": "https://evil.example/jwks.json", "x5u": "https://evil.example/cert.pem", "x5t": "AAAA", "cty": "JWT",
	}, nil))

	// Of one ECDSA signature anybody makes a second one, which says the same of the same token.
	input := b64([]byte(m.text(head))) + "." + b64([]byte(m.text(claims)))
	signature := m.sign(input, m.es)
	twin := new(big.Int).Sub(elliptic.P256().Params().N, new(big.Int).SetBytes(signature[32:]))
	twin.FillBytes(signature[32:])
	m.good("good, the twin of an ECDSA signature", "FIPS 186-5 §6.4", input+"."+b64(signature))
}

func (m *maker) algorithms() {
	for _, none := range []string{"none", "None", "NONE", "nOnE", ""} {
		m.add(fmt.Sprintf("alg %q without a signature", none), "RFC 8725 §2.1, §3.1", m.signed(with(head, object{"alg": none}), claims, nil))
		m.add(fmt.Sprintf("alg %q with a signature", none), "RFC 8725 §2.1, §3.1", m.ours(object{"alg": none}, nil))
	}
	m.add("no alg", "RFC 7515 §4.1.1", m.ours(object{"alg": nil}, nil))
	m.add("alg a list", "RFC 7515 §4.1.1", m.ours(object{"alg": []string{"ES256"}}, nil))
	m.add("alg es256", "RFC 7515 §4.1.1", m.ours(object{"alg": "es256"}, nil))
	der, err := x509.MarshalPKIXPublicKey(m.es.Public())
	m.must(err)
	rsaDER, err := x509.MarshalPKIXPublicKey(m.rs.Public())
	m.must(err)
	point, err := m.es.PublicKey.Bytes()
	m.must(err)
	for name, secret := range map[string][]byte{
		"DER": der, "PEM": pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), "as a point": point,
	} {
		m.add("HS256 with the public key, "+name, "RFC 8725 §2.1, §3.1", m.signed(with(head, object{"alg": "HS256"}), claims, secret))
	}
	m.add("HS256 with the public RSA key", "RFC 8725 §2.1, §3.1", m.signed(with(head, object{"alg": "HS256", "kid": "rs"}), claims, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: rsaDER})))
	m.add("HS256 with a secret that was published", "RFC 8725 §3.1", m.signed(with(head, object{"alg": "HS256", "kid": "oct"}), claims, []byte("a secret that should not be here")))
	m.add("RS256 for a key of ES256", "RFC 8725 §3.1", m.signed(with(head, object{"alg": "RS256"}), claims, m.rs))
	m.add("ES256 for a key of RS256", "RFC 8725 §3.1", m.ours(object{"kid": "rs"}, nil))
	m.add("EdDSA for a key of ES256", "RFC 8725 §3.1", m.signed(with(head, object{"alg": "EdDSA"}), claims, m.ed))
	m.add("RS512 for a key of RS256", "RFC 8725 §3.1", m.signed(with(head, object{"alg": "RS512", "kid": "rs"}), claims, m.rs))
	m.add("PS256 for a key of RS256", "RFC 8725 §3.1", m.pss())
	m.add("ES384 for a key of ES256", "RFC 8725 §3.1", m.ours(object{"alg": "ES384"}, nil))
}

// pss is rightly signed by the issuer's RSA key, in a way that is not the key's.
func (m *maker) pss() string {
	input := b64([]byte(m.text(with(head, object{"alg": "PS256", "kid": "rs"})))) + "." + b64([]byte(m.text(claims)))
	digest := sha256.Sum256([]byte(input))
	signature, err := rsa.SignPSS(rand.Reader, m.rs, crypto.SHA256, digest[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
	m.must(err)
	return input + "." + b64(signature)
}

func (m *maker) keysOfTheirOwn() {
	theirs := func(other object) string { return m.signed(with(head, other), claims, m.mallory) }
	m.add("another's signature", "RFC 8725 §3.2", theirs(nil))
	m.add("another key's kid", "RFC 8725 §3.10", m.ours(object{"kid": "other"}, nil))
	m.add("kid that nobody has", "RFC 8725 §3.10", theirs(object{"kid": "mallory"}))
	m.add("kid of a key for encryption", "RFC 7517 §4.2", theirs(object{"kid": "enc"}))
	m.add("kid a path", "RFC 8725 §3.10", m.signed(with(head, object{"alg": "HS256", "kid": "../../dev/null"}), claims, []byte{}))
	m.add("no kid", "RFC 7515 §4.1.4", m.ours(object{"kid": nil}, nil))
	m.add("kid empty", "RFC 7515 §4.1.4", m.ours(object{"kid": ""}, nil))
	m.add("kid a number", "RFC 7515 §4.1.4", m.ours(object{"kid": 1}, nil))
	m.add("jwk of the sender", "RFC 8725 §3.10, CVE-2018-0114", theirs(object{"jwk": m.unpublished}))
	m.add("jwk of the sender, its own kid", "RFC 8725 §3.10", theirs(object{"jwk": m.unpublished, "kid": "mallory"}))
	m.add("jwk of the sender, no kid", "RFC 8725 §3.10", theirs(object{"jwk": m.unpublished, "kid": nil}))
	for _, where := range []string{"jku", "x5u"} {
		m.add(where+" of the sender", "RFC 8725 §3.10", theirs(object{where: "https://evil.example/keys"}))
		m.add(where+" of the sender, its own kid", "RFC 8725 §3.10", theirs(object{where: "https://evil.example/keys", "kid": "mallory"}))
	}
	m.add("crit that nobody knows", "RFC 7515 §4.1.11", m.ours(object{"crit": []string{"exp2"}, "exp2": 1}, nil))
	m.add("crit empty", "RFC 7515 §4.1.11", m.ours(object{"crit": []string{}}, nil))
	m.add("crit b64 true", "RFC 7797 §6", m.ours(object{"crit": []string{"b64"}, "b64": true}, nil))
	unencoded := b64([]byte(m.text(with(head, object{"crit": []string{"b64"}, "b64": false})))) + "."
	m.add("crit b64 false, over the encoded payload", "RFC 7797 §3", m.ours(object{"crit": []string{"b64"}, "b64": false}, nil))
	m.add("crit b64 false, over the payload", "RFC 7797 §3", unencoded+b64([]byte(m.text(claims)))+"."+b64(m.sign(unencoded+m.text(claims), m.es)))
	m.add("b64 false without crit", "RFC 7797 §6", m.ours(object{"b64": false}, nil))
}

func (m *maker) kinds() {
	for _, kind := range []any{nil, "", "JWT", "jwt", "rt+jwt", "logout+jwt", "revocations+jwt", "secevent+jwt", "dpop+jwt", "application/jwt", "at+jwt ", 1} {
		m.add(fmt.Sprintf("typ %#v", kind), "RFC 8725 §3.11, RFC 9068 §4", m.ours(object{"typ": kind}, nil))
	}
	m.add("an ID token", "RFC 8725 §3.12, OpenID Connect Core §2", m.ours(object{"typ": "JWT"}, object{
		"aud": "shop", "client_id": nil, "jti": nil, "scope": nil, "nonce": "n", "at_hash": "x",
	}))
	m.add("a logout token", "RFC 8725 §3.12, OpenID Connect Back-Channel Logout §2.4", m.ours(object{"typ": "logout+jwt"}, object{
		"aud": "shop", "client_id": nil, "events": object{"http://schemas.openid.net/event/backchannel-logout": object{}},
	}))
	m.add("an answer of the feed", "RFC 8725 §3.12", m.ours(object{"typ": "revocations+jwt"}, object{
		"aud": "verifier", "sub": nil, "client_id": nil, "jti": nil, "sid": nil, "cursor": "c", "sids": []string{},
	}))
}

func (m *maker) meanings() {
	for _, name := range []string{"iss", "aud", "sub", "client_id", "jti", "iat", "exp"} {
		m.add("no "+name, "RFC 9068 §2.2", m.ours(nil, object{name: nil}))
		m.add(name+" of another type", "RFC 7519 §4.1", m.ours(nil, object{name: object{"x": 1}}))
	}
	for _, name := range []string{"sid", "nbf", "scope", "auth_time"} { // else it would be as one without
		m.add(name+" of another type", "RFC 7519 §4", m.ours(nil, object{name: []string{"s1"}}))
	}
	m.add("another iss", "RFC 8725 §3.8", m.ours(nil, object{"iss": "https://evil.example"}))
	m.add("iss with a slash more", "RFC 8725 §3.8", m.ours(nil, object{"iss": attackIssuer + "/"}))
	m.add("iss in capitals", "RFC 8725 §3.8", m.ours(nil, object{"iss": "https://ID.example"}))
	m.add("iss that begins alike", "RFC 8725 §3.8", m.ours(nil, object{"iss": attackIssuer + ".evil.example"}))
	m.add("another aud", "RFC 8725 §3.9", m.ours(nil, object{"aud": "https://other.example"}))
	m.add("aud that begins alike", "RFC 8725 §3.9", m.ours(nil, object{"aud": attackAudience + ".evil.example"}))
	m.add("aud that is the beginning", "RFC 8725 §3.9", m.ours(nil, object{"aud": "https://api"}))
	m.add("aud a list with ours", "RFC 8725 §3.9", m.ours(nil, object{"aud": []string{attackAudience, "https://other.example"}}))
	m.add("aud a list of ours", "RFC 8725 §3.9", m.ours(nil, object{"aud": []string{attackAudience}}))
	m.add("exp now", "RFC 7519 §4.1.4", m.ours(nil, object{"exp": attackNow}))
	m.add("exp an hour ago", "RFC 7519 §4.1.4", m.ours(nil, object{"exp": attackNow - 3600}))
	m.add("exp a text", "RFC 7519 §4.1.4", m.ours(nil, object{"exp": fmt.Sprint(attackNow + 540)}))
	m.add("exp negative", "RFC 7519 §4.1.4", m.ours(nil, object{"exp": -1}))
	m.add("exp beyond all numbers", "RFC 7519 §4.1.4", m.signed(head, strings.Replace(m.text(claims), fmt.Sprint(attackNow+540), "1e400", 1), m.es))
	m.add("nbf ahead", "RFC 7519 §4.1.5", m.ours(nil, object{"nbf": attackNow + 61}))
	m.add("iat ahead", "RFC 7519 §4.1.6", m.ours(nil, object{"iat": attackNow + 61}))
	m.add("sub empty", "RFC 9068 §2.2", m.ours(nil, object{"sub": ""}))
	m.add("sub twice", "RFC 8725 §2.4, RFC 7519 §4", m.signed(head, strings.Replace(m.text(claims), `"sub":"ada"`, `"sub":"bob","sub":"ada"`, 1), m.es))
	m.add("aud twice, ours last", "RFC 8725 §2.4, RFC 7519 §4", m.signed(head, `{"aud":"https://other.example",`+m.text(claims)[1:], m.es))
	m.add("alg twice in the header", "RFC 7515 §4", m.signed(`{"alg":"none",`+m.text(head)[1:], claims, m.es))
	m.add("typ twice in the header", "RFC 7515 §4", m.signed(`{"typ":"JWT",`+m.text(head)[1:], claims, m.es))
	for name, payload := range map[string]string{"empty": "", "null": "null", "a list": "[]", "a text": `"x"`, "no JSON": "{", "two objects": m.text(claims) + "{}"} {
		m.add("payload "+name, "RFC 7519 §7.2", m.signed(head, payload, m.es))
	}
}

func (m *maker) spellings() {
	good := m.ours(nil, nil)
	parts := strings.Split(good, ".")
	signature := m.sign(parts[0]+"."+parts[1], m.es)
	der, err := m.es.Sign(rand.Reader, digestOf(parts[0]+"."+parts[1]), crypto.SHA256)
	m.must(err)
	signed := func(signature []byte) string { return parts[0] + "." + parts[1] + "." + b64(signature) }
	m.add("signature cut", "RFC 7518 §3.4", signed(signature[:63]))
	m.add("signature longer", "RFC 7518 §3.4", signed(append(signature[:64:64], 0)))
	m.add("signature empty", "RFC 7515 §5.2", signed(nil))
	m.add("signature of zeros", "CVE-2022-21449", signed(make([]byte, 64)))
	m.add("signature DER", "RFC 7518 §3.4", signed(der))
	m.add("signature of another token", "RFC 7515 §5.2", signed(m.sign(parts[0]+"."+parts[1]+"x", m.es)))
	m.add("claims under another's signature", "RFC 7515 §5.2", parts[0]+"."+b64([]byte(m.text(with(claims, object{"sub": "bob"}))))+"."+parts[2])
	m.add("padded", "RFC 7515 §2", good+"==")
	m.add("base64 instead of base64url", "RFC 7515 §2", base64.RawStdEncoding.EncodeToString([]byte(m.text(with(head, object{"x": "???>>>"}))))+"."+parts[1]+"."+parts[2])
	m.add("space before", "RFC 7515 §2", " "+good)
	m.add("space after", "RFC 7515 §2", good+" ")
	m.add("space within", "RFC 7515 §2", parts[0]+". "+parts[1]+"."+parts[2])
	m.add("line end after", "RFC 7515 §2", good+"\n")
	m.add("line end within", "RFC 7515 §2", good[:len(good)-9]+"\r\n"+good[len(good)-9:])
	m.add("a dot after", "RFC 7515 §7.1", good+".")
	m.add("a dot before", "RFC 7515 §7.1", "."+good)
	m.add("trailing bytes", "RFC 7515 §7.1", good+"."+parts[2])
	m.add("two parts", "RFC 7515 §7.1", parts[0]+"."+parts[1])
	m.add("five parts, as encrypted", "RFC 7516 §7.1", b64([]byte(`{"alg":"dir","enc":"A128GCM","typ":"at+jwt","kid":"es"}`))+"..AAAA.AAAA.AAAA")
	m.add("JSON serialization", "RFC 7515 §7.2", m.text(object{"payload": parts[1], "protected": parts[0], "signature": parts[2]}))
	m.add("payload detached", "RFC 7515 §F", parts[0]+".."+parts[2])
	m.add("longer than any", "RFC 8725 §2.4", m.ours(nil, object{"x": strings.Repeat("x", 8<<10)}))
	m.add("garbage", "RFC 6750 §2.1", "garbage")
	m.add("header no JSON", "RFC 7515 §5.2", m.signed("{", claims, m.es))
	m.add("header a list", "RFC 7515 §5.2", m.signed("[]", claims, m.es))
}

func digestOf(text string) []byte {
	digest := sha256.Sum256([]byte(text))
	return digest[:]
}
