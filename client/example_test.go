package client_test

// How a program uses the client, run against a server of the tests' own.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"testing"

	"latchkey/api"
	"latchkey/client"
	"latchkey/internal/authtest"
)

// issuer is a running server's, such as "https://id.example.org". Ada has an account there, and Grace, who is at browser:
// a program of your own leaves App.Open out.
var (
	issuer  string
	browser func(address string) error
)

func TestMain(m *testing.M) {
	if raw := os.Getenv(processEnv); raw != "" {
		os.Exit(asProcess(raw))
	}
	authtest.Main(m, func(t testing.TB) {
		issuer, browser = newNode(t).issuer, newPerson(t, grace).open
	})
}

// A program for the command line. The browser is opened once: at the next start the file has the session.
func ExampleSignIn() {
	ctx := context.Background()
	folder, err := os.MkdirTemp("", "") // a program of your own takes a folder in os.UserConfigDir
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)
	app := client.App{Issuer: issuer, ClientID: "cli", File: filepath.Join(folder, "session.json"), Open: browser}

	for range 2 {
		session, err := client.SignIn(ctx, app)
		if err != nil {
			log.Fatal(err)
		}
		token, err := session.Token(ctx)
		if err != nil {
			log.Fatal(err)
		}
		user, err := client.New(issuer, nil).AppUserInfo(ctx, token)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("signed in:", user.Email)
	}
	// Output:
	// signed in: grace@example.com
	// signed in: grace@example.com
}

// Requests to an API, with a token that is refreshed in time.
func ExampleSession_HTTPClient() {
	session, err := client.SignIn(context.Background(), client.App{Issuer: issuer, ClientID: "cli", Open: browser})
	if err != nil {
		log.Fatal(err)
	}
	orders := session.HTTPClient(issuer) // the API's origin, such as "https://api.example.org"
	answer, err := orders.Get(issuer + "/oauth/userinfo")
	if err != nil {
		log.Fatal(err)
	}
	defer answer.Body.Close()
	fmt.Println(answer.Status)
	// Output:
	// 200 OK
}

// A session ends when somebody signs out, in any of the processes that share its file. All other errors are for now.
func ExampleSession_Token() {
	ctx := context.Background()
	session, err := client.SignIn(ctx, client.App{Issuer: issuer, ClientID: "cli", Open: browser})
	if err != nil {
		log.Fatal(err)
	}
	if err := session.SignOut(ctx); err != nil {
		log.Print(err) // the server could not be told, and yet nobody is signed in here
	}
	switch _, err := session.Token(ctx); {
	case errors.Is(err, client.ErrSignedOut):
		fmt.Println("Sign in again.")
	case err != nil:
		fmt.Println("Try again later:", err)
	}
	// Output:
	// Sign in again.
}

// A session from its beginning to its end.
func Example() {
	ctx := context.Background()
	latchkey := client.New(issuer, nil)

	tokens, err := latchkey.SignIn(ctx, api.SignInRequest{Email: "ada@example.com", Password: "correct horse battery staple"})
	if err != nil {
		log.Fatal(err)
	}
	user, err := latchkey.UserInfo(ctx, tokens.AccessToken)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("signed in:", user.Email)

	// An access token lives for tokens.ExpiresIn seconds. Each refresh gives a new pair: keep both.
	tokens, err = latchkey.Refresh(ctx, tokens.RefreshToken)
	if err != nil {
		log.Fatal(err)
	}
	sessions, err := latchkey.Sessions(ctx, tokens.AccessToken, user.Subject)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("refreshed; sessions:", len(sessions))

	if err := latchkey.SignOut(ctx, tokens.AccessToken, api.SignOutRequest{}); err != nil {
		log.Fatal(err)
	}
	_, err = latchkey.UserInfo(ctx, tokens.AccessToken)
	fmt.Println("signed out:", client.CodeOf(err) == api.CodeInvalidToken)
	// Output:
	// signed in: ada@example.com
	// refreshed; sessions: 1
	// signed out: true
}

// What to do about a refusal depends on its code. A code that is new to the program is treated by its status.
func ExampleCodeOf() {
	_, err := client.New(issuer, nil).SignIn(context.Background(), api.SignInRequest{Email: "ada@example.com", Password: "a wrong guess"})
	switch client.CodeOf(err) {
	case api.CodeInvalidCredentials:
		fmt.Println("Ask for the password again.")
	case api.CodeEmailNotVerified:
		fmt.Println("Offer to send the verification mail again.")
	case api.CodeTooManyRequests, api.CodeUnavailable:
		fmt.Println("Try again after RetryAfter.")
	default:
		fmt.Println("Give up:", err)
	}
	// Output:
	// Ask for the password again.
}

// The fields of an *Error say the rest: which input is wrong, and what to tell the operator.
func ExampleError() {
	_, err := client.New(issuer, nil).SignIn(context.Background(), api.SignInRequest{Password: "correct horse battery staple"})
	if refused, ok := errors.AsType[*client.Error](err); ok && refused.Code == api.CodeInvalidRequest {
		for _, field := range refused.Fields {
			fmt.Println(refused.Status, field.Field, field.Code)
		}
	}
	// Output:
	// 400 email required
}

// A program that ends keeps its device tokens in a file of the user's. At the next start it is known again.
func ExampleDevice() {
	ctx, ada := context.Background(), api.SignInRequest{Email: "ada@example.com", Password: "correct horse battery staple"}
	folder, err := os.MkdirTemp("", "") // a program of your own takes a folder in os.UserConfigDir
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)
	file := filepath.Join(folder, "device.json")

	var device client.Device
	if _, err := client.New(issuer, nil).On(&device).SignIn(ctx, ada); err != nil {
		log.Fatal(err)
	}
	saved, err := json.Marshal(&device)
	if err == nil {
		err = os.WriteFile(file, saved, 0o600)
	}
	if err != nil {
		log.Fatal(err)
	}

	// The next start:
	saved, err = os.ReadFile(file)
	if err != nil {
		log.Fatal(err)
	}
	var same client.Device
	if err := json.Unmarshal(saved, &same); err != nil {
		log.Fatal(err)
	}
	if _, err := client.New(issuer, nil).On(&same).SignIn(ctx, ada); err != nil {
		log.Fatal(err)
	}
	fmt.Println("signed in from a known device")
	// Output:
	// signed in from a known device
}
