// Verify-go is a resource server: it lets in whoever has an access token of a Latchkey. It shares no secret with Latchkey
// and asks it nothing per request.
//
//	ISSUER=http://localhost:8080 go run ./examples/verify-go
//	curl -H "Authorization: Bearer $ACCESS_TOKEN" http://localhost:8081/hello
//
// So a session that has ended stays good here until its access token expires, ten minutes at most. Where that is too long,
// give verify.Config a Feed.
package main

import (
	"cmp"
	"fmt"
	"log"
	"net/http"
	"os"

	"latchkey/verify"
)

func main() {
	issuer := cmp.Or(os.Getenv("ISSUER"), "http://localhost:8080") // LATCHKEY_PUBLIC_URL
	audience := cmp.Or(os.Getenv("AUDIENCE"), issuer)              // LATCHKEY_AUDIENCE
	verifier, err := verify.New(verify.Config{Issuer: issuer, Audience: audience})
	if err != nil {
		log.Fatal(err)
	}
	signedIn := verifier.Middleware(verify.Require{})
	http.Handle("GET /hello", signedIn(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller, _ := verify.FromContext(r.Context())
		fmt.Fprintf(w, "hello, user %s\n", caller.Subject)
	})))
	// A proxy asks here before it passes a request on, and passes the user on with it.
	http.Handle("GET /check", signedIn(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller, _ := verify.FromContext(r.Context())
		w.Header().Set("X-User", caller.Subject)
		w.WriteHeader(http.StatusNoContent)
	})))
	log.Fatal(http.ListenAndServe(cmp.Or(os.Getenv("ADDR"), "127.0.0.1:8081"), nil))
}
