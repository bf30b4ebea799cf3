package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

func TestHello(t *testing.T) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	issuer := httptest.NewServer(mux)
	defer issuer.Close()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		json.NewEncoder(w).Encode(map[string]any{"issuer": issuer.URL, "jwks_uri": issuer.URL + "/.well-known/jwks.json"})
	})
	mux.HandleFunc("GET /.well-known/jwks.json", func(w http.ResponseWriter, _ *http.Request) {
		json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: private.Public(), KeyID: "1", Algorithm: "ES256", Use: "sig"}}})
	})
	handler, err := newServer(t.Context(), issuer.URL, "https://api.example.com")
	if err != nil {
		t.Fatal(err)
	}
	sign := func(typ, iss, aud string, life time.Duration) string {
		signer, err := jose.NewSigner(
			jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: private, KeyID: "1"}},
			(&jose.SignerOptions{}).WithType(jose.ContentType(typ)))
		if err != nil {
			t.Fatal(err)
		}
		claims, _ := json.Marshal(map[string]any{"iss": iss, "aud": aud, "sub": "ada", "exp": time.Now().Add(life).Unix()})
		signed, err := signer.Sign(claims)
		if err != nil {
			t.Fatal(err)
		}
		token, _ := signed.CompactSerialize()
		return "Bearer " + token
	}
	const aud = "https://api.example.com"
	good := sign("at+jwt", issuer.URL, aud, time.Minute)
	for name, tc := range map[string]struct {
		authorization string
		want          int
	}{
		"good":           {good, http.StatusOK},
		"nothing":        {"", http.StatusUnauthorized},
		"garbage":        {"Bearer garbage", http.StatusUnauthorized},
		"cut":            {good[:len(good)-4], http.StatusUnauthorized},
		"other type":     {sign("rt+jwt", issuer.URL, aud, time.Minute), http.StatusUnauthorized},
		"other issuer":   {sign("at+jwt", "https://evil.example", aud, time.Minute), http.StatusUnauthorized},
		"other audience": {sign("at+jwt", issuer.URL, "https://other.example.com", time.Minute), http.StatusUnauthorized},
		"expired":        {sign("at+jwt", issuer.URL, aud, -time.Minute), http.StatusUnauthorized},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/hello", nil)
			r.Header.Set("Authorization", tc.authorization)
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			if w.Code != tc.want {
				t.Errorf("got %d, %s; want %d", w.Code, w.Body, tc.want)
			}
		})
	}
}
