// Verify-go is a resource server: it lets in whoever has an access token of a Latchkey, which it finds,
// keys and all, through OpenID Connect discovery. It shares no secret with Latchkey and asks it nothing
// per request.
//
//	ISSUER=http://localhost:8080 go run .
//	curl -H "Authorization: Bearer $ACCESS_TOKEN" http://localhost:8081/hello
//
// So a session that has been ended stays good here until its access token expires, ten minutes at most.
// Where that is too long, ask POST /oauth/introspect or GET /auth/userinfo as well.
package main

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"strings"

	"github.com/coreos/go-oidc/v3/oidc"
)

func main() {
	issuer := cmp.Or(os.Getenv("ISSUER"), "http://localhost:8080") // LATCHKEY_PUBLIC_URL
	audience := cmp.Or(os.Getenv("AUDIENCE"), issuer)              // LATCHKEY_AUDIENCE
	handler, err := newServer(context.Background(), issuer, audience)
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.ListenAndServe(cmp.Or(os.Getenv("ADDR"), "127.0.0.1:8081"), handler))
}

func newServer(ctx context.Context, issuer, audience string) (http.Handler, error) {
	provider, err := oidc.NewProvider(ctx, issuer) // fails unless the document names this very issuer
	if err != nil {
		return nil, fmt.Errorf("discover %s: %w", issuer, err)
	}
	// The algorithms are ours to list, never the token's or a document's to choose (RFC 8725 §3.1).
	verifier := provider.Verifier(&oidc.Config{ClientID: audience, SupportedSigningAlgs: []string{oidc.ES256, oidc.EdDSA, oidc.RS256}})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /hello", func(w http.ResponseWriter, r *http.Request) {
		token, err := verify(r, verifier)
		if err != nil {
			w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`) // RFC 6750 §3
			http.Error(w, err.Error(), http.StatusUnauthorized)
			return
		}
		fmt.Fprintf(w, "hello, user %s\n", token.Subject)
	})
	return mux, nil
}

// verify checks signature, iss, aud, exp and nbf, and that the token is an access token: RFC 9068 §4 asks
// for typ at+jwt, so that no other JWT under the same keys passes for one.
func verify(r *http.Request, verifier *oidc.IDTokenVerifier) (*oidc.IDToken, error) {
	raw, found := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !found {
		return nil, errors.New("send an access token: Authorization: Bearer ...")
	}
	var header struct{ Typ string }
	first, _, _ := strings.Cut(raw, ".")
	if text, err := base64.RawURLEncoding.DecodeString(first); err != nil || json.Unmarshal(text, &header) != nil || header.Typ != "at+jwt" {
		return nil, errors.New("not an access token")
	}
	return verifier.Verify(r.Context(), raw)
}
