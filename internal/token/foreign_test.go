package token

// Other people's verifiers judge our tokens, as a resource server would: by discovery and the JWKS over HTTP.

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"
)

// discovery serves what a verifier needs of an issuer with those keys: the metadata (OpenID Connect Discovery §4) and
// the JWKS. It returns the issuer.
func discovery(t *testing.T, r *KeyRing) string {
	t.Helper()
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{
			"issuer":                                server.URL,
			"jwks_uri":                              server.URL + "/.well-known/jwks.json",
			"authorization_endpoint":                server.URL + "/unused",
			"id_token_signing_alg_values_supported": algorithms,
		})
	})
	mux.HandleFunc("GET /.well-known/jwks.json", func(w http.ResponseWriter, _ *http.Request) {
		text, err := r.JWKS(at)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(text)
	})
	return server.URL
}

// fetchJWKS reads a JWKS knowing nothing but JSON, and fails for any member that is not of a public key.
func fetchJWKS(t *testing.T, r *KeyRing) []map[string]string {
	t.Helper()
	text, err := r.JWKS(at)
	if err != nil {
		t.Fatal(err)
	}
	var set struct{ Keys []map[string]string }
	if err := json.Unmarshal(text, &set); err != nil {
		t.Fatal(err)
	}
	public := map[string]bool{
		"kty": true, "use": true, "alg": true, "kid": true, "crv": true, "x": true, "y": true, "n": true, "e": true,
	}
	for _, key := range set.Keys {
		for member := range key {
			if !public[member] {
				t.Errorf("JWKS publishes %q of key %s", member, key["kid"])
			}
		}
		if key["use"] != "sig" || key["alg"] == "" || key["kid"] == "" {
			t.Errorf("JWKS says use %q, alg %q, kid %q", key["use"], key["alg"], key["kid"])
		}
	}
	return set.Keys
}

// publicKey reads a JWK by RFC 7518 §6 and RFC 8037 §2, without the library that wrote it.
func publicKey(t *testing.T, jwk map[string]string) crypto.PublicKey {
	t.Helper()
	member := func(name string) []byte {
		value, err := base64.RawURLEncoding.DecodeString(jwk[name])
		if err != nil || len(value) == 0 {
			t.Fatalf("member %q: %q, %v", name, jwk[name], err)
		}
		return value
	}
	switch jwk["kty"] + " " + jwk["crv"] {
	case "EC P-256":
		point := append(append([]byte{4}, member("x")...), member("y")...)
		key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
		if err != nil {
			t.Fatal(err)
		}
		return key
	case "OKP Ed25519":
		return ed25519.PublicKey(member("x"))
	case "RSA ":
		return &rsa.PublicKey{N: new(big.Int).SetBytes(member("n")), E: int(new(big.Int).SetBytes(member("e")).Int64())}
	default:
		t.Fatalf("a key of another kind: %v", jwk)
		return nil
	}
}

func ringOfAll(t *testing.T, signs string) *KeyRing {
	t.Helper()
	var keys []SigningKey
	for _, alg := range algorithms {
		key := signingKey(t, alg)
		if alg == signs {
			key.UseFrom = at
		}
		keys = append(keys, key)
	}
	return NewKeyRing(AccessType, keys)
}

func TestForeignVerifierGoOIDC(t *testing.T) {
	for _, alg := range algorithms {
		t.Run(alg, func(t *testing.T) {
			r := ringOfAll(t, alg)
			a := testAccess()
			a.Issuer = discovery(t, r)
			raw, err := r.SignAccess(a, at)
			if err != nil {
				t.Fatal(err)
			}
			ctx := context.Background()
			provider, err := oidc.NewProvider(ctx, a.Issuer)
			if err != nil {
				t.Fatal(err)
			}
			config := oidc.Config{ClientID: audience, Now: func() time.Time { return at }}
			got, err := provider.Verifier(&config).Verify(ctx, raw)
			if err != nil {
				t.Fatal(err)
			}
			if got.Subject != a.Subject || got.Issuer != a.Issuer || !got.Expiry.Equal(a.ExpiresAt) || !got.IssuedAt.Equal(a.IssuedAt) {
				t.Errorf("go-oidc read %+v", got)
			}
			var claims struct {
				Email    string
				Verified bool `json:"email_verified"`
				Name     string
				Session  string `json:"sid"`
			}
			if err := got.Claims(&claims); err != nil {
				t.Fatal(err)
			}
			if claims.Email != a.Email || !claims.Verified || claims.Name != "Ada Lovelace" || claims.Session != session {
				t.Errorf("go-oidc read %+v", claims)
			}
			config.Now = func() time.Time { return a.ExpiresAt.Add(time.Second) }
			if _, err := provider.Verifier(&config).Verify(ctx, raw); err == nil {
				t.Error("go-oidc takes it after its expiry")
			}
			last := []byte(raw)
			last[len(raw)/2] ^= 1
			if _, err := provider.Verifier(&oidc.Config{ClientID: audience}).Verify(ctx, string(last)); err == nil {
				t.Error("go-oidc takes it with a byte changed: the test proves nothing")
			}
		})
	}
}

// An application's own library takes the ID token, and sees which access token came with it.
func TestForeignVerifierReadsIDTokens(t *testing.T) {
	for _, alg := range algorithms {
		t.Run(alg, func(t *testing.T) {
			r := ringOfAll(t, alg)
			id, access := testID(), testAccess()
			id.Issuer = discovery(t, r)
			access.Issuer = id.Issuer
			accessRaw := signed(t, r, access)
			raw := signedID(t, r, id, accessRaw)
			ctx := context.Background()
			provider, err := oidc.NewProvider(ctx, id.Issuer)
			if err != nil {
				t.Fatal(err)
			}
			verify := func(client, raw string, now time.Time) (*oidc.IDToken, error) {
				config := oidc.Config{ClientID: client, Now: func() time.Time { return now }}
				return provider.Verifier(&config).Verify(ctx, raw)
			}
			got, err := verify("shop", raw, at)
			if err != nil {
				t.Fatal(err)
			}
			if got.Subject != id.Subject || got.Nonce != id.Nonce || !got.Expiry.Equal(id.ExpiresAt) || !got.IssuedAt.Equal(id.IssuedAt) {
				t.Errorf("go-oidc read %+v", got)
			}
			var claims map[string]any
			if err := got.Claims(&claims); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(part(t, raw, 1), claims); diff != "" {
				t.Errorf("claims (-sent +read):\n%s", diff)
			}
			if err := got.VerifyAccessToken(accessRaw); err != nil {
				t.Errorf("go-oidc, of the access token that came with it: %v", err)
			}
			access.TokenID = "another"
			if err := got.VerifyAccessToken(signed(t, r, access)); err == nil {
				t.Error("go-oidc takes another access token for it: the test proves nothing")
			}
			for name, err := range map[string]error{
				"for another client":      second(verify("mobile", raw, at)),
				"after its expiry":        second(verify("shop", raw, id.ExpiresAt.Add(time.Second))),
				"that is an access token": second(verify("shop", accessRaw, at)),
			} {
				if err == nil {
					t.Errorf("go-oidc takes one %s", name)
				}
			}
		})
	}
}

func second(_ *oidc.IDToken, err error) error { return err }

func TestForeignVerifierGolangJWT(t *testing.T) {
	for _, alg := range algorithms {
		t.Run(alg, func(t *testing.T) {
			r := ringOfAll(t, alg)
			raw, err := r.SignAccess(testAccess(), at)
			if err != nil {
				t.Fatal(err)
			}
			keys := map[string]crypto.PublicKey{}
			for _, jwk := range fetchJWKS(t, r) {
				keys[jwk["kid"]] = publicKey(t, jwk)
			}
			verify := func(options ...jwt.ParserOption) (jwt.MapClaims, error) {
				claims := jwt.MapClaims{}
				options = append(options, jwt.WithValidMethods([]string{alg}), jwt.WithStrictDecoding(), jwt.WithExpirationRequired())
				_, err := jwt.NewParser(options...).ParseWithClaims(raw, claims, func(token *jwt.Token) (any, error) {
					key, ok := keys[fmt.Sprint(token.Header["kid"])]
					if !ok || token.Header["typ"] != "at+jwt" {
						return nil, fmt.Errorf("header %v", token.Header)
					}
					return key, nil
				})
				return claims, err
			}
			now := func(moment time.Time) jwt.ParserOption {
				return jwt.WithTimeFunc(func() time.Time { return moment })
			}
			claims, err := verify(now(at), jwt.WithIssuer(issuer), jwt.WithAudience(audience), jwt.WithSubject(testAccess().Subject))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(jwt.MapClaims(part(t, raw, 1)), claims); diff != "" {
				t.Errorf("claims (-sent +read):\n%s", diff)
			}
			for name, option := range map[string]jwt.ParserOption{
				"after its expiry":     now(testAccess().ExpiresAt),
				"for another audience": jwt.WithAudience("https://other.example"),
			} {
				if _, err := verify(option); err == nil {
					t.Errorf("golang-jwt takes it %s: the test proves nothing", name)
				}
			}
		})
	}
}
