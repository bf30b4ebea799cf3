package verify_test

// How a program uses the package, run against a server of the tests' own.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"testing"

	"latchkey/api"
	"latchkey/verify"
)

// A running server, and its way there: in a program of your own, issuer is such as "https://id.example.org", and HTTP is
// left out.
var (
	issuer   string
	way      *http.Client
	examples *node
)

func startExamples(t testing.TB) {
	examples = newNode(t)
	issuer, way = examples.Options.Issuer, leadingTo(examples.door)
}

// ask calls an API as an app does, and prints the answer.
func ask(api *httptest.Server, token string) {
	r, err := http.NewRequest(http.MethodGet, api.URL+"/hello", nil)
	if err != nil {
		log.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		log.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(res.StatusCode, " ", string(text))
}

// An API that lets in who is signed in.
func Example() {
	v, err := verify.New(verify.Config{Issuer: issuer, Audience: issuer, HTTP: way})
	if err != nil {
		log.Fatal(err)
	}
	defer v.Close()
	signedIn := v.Middleware(verify.Require{})

	mux := http.NewServeMux()
	mux.Handle("GET /hello", signedIn(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller, _ := verify.FromContext(r.Context())
		fmt.Fprintln(w, "hello,", caller.Name)
	})))

	server := httptest.NewServer(mux)
	defer server.Close()
	ask(server, "")
	ask(server, examples.token())
	// Output:
	// 401 Send an access token: Authorization: Bearer ...
	// 200 hello, Ada Lovelace
}

// With a feed, whoever signs out is refused within two seconds. Where ends cannot be known for a minute, nobody is let in.
func ExampleFeed() {
	ctx := context.Background()
	v, err := verify.New(verify.Config{
		Issuer: issuer, Audience: issuer, HTTP: way,
		Feed: &verify.Feed{ClientID: "verifier", ClientSecret: secret, OpenFor: 60e9},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer v.Close()

	token := examples.token()
	if err := examples.SignOut(ctx, token, api.SignOutRequest{}); err != nil {
		log.Fatal(err)
	}
	for err == nil {
		_, err = v.Verify(ctx, token, verify.Require{})
	}
	fmt.Println(err)
	// Output:
	// invalid_token: The session has ended.
}

// Verify is for what is no net/http handler: gRPC, WebSockets, queues.
func ExampleVerifier_Verify() {
	v, err := verify.New(verify.Config{Issuer: issuer, Audience: issuer, HTTP: way})
	if err != nil {
		log.Fatal(err)
	}
	defer v.Close()

	_, err = v.Verify(context.Background(), examples.token(), verify.Require{Scope: "write"})
	if refused, ok := errors.AsType[*verify.Error](err); ok {
		fmt.Println(refused.Status, refused.Code)
	}
	// Output:
	// 403 insufficient_scope
}
