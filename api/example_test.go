package api_test

// How a program without package client reads what the server answers, run against a server of the tests' own.

import (
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"strings"
	"testing"

	"latchkey/api"
	"latchkey/internal/authtest"
)

// url is a running server's, such as "https://id.example.org". Ada has an account there.
var url string

func TestMain(m *testing.M) {
	authtest.Main(m, func(t testing.TB) {
		server := authtest.New(t, authtest.SQLite(t))
		server.AddUser(t, "ada@example.com")
		url = server.HTTP.URL
	})
}

// A success has what was asked for in its data.
func ExampleResponse() {
	body := `{"email": "ada@example.com", "password": "correct horse battery staple"}`
	answer, err := http.Post(url+"/auth/signin", "application/json", strings.NewReader(body))
	if err != nil {
		log.Fatal(err)
	}
	defer answer.Body.Close()

	var signedIn api.Response[api.Tokens]
	if err := json.NewDecoder(answer.Body).Decode(&signedIn); err != nil {
		log.Fatal(err)
	}
	fmt.Println(answer.StatusCode, signedIn.Message, signedIn.Data.TokenType, signedIn.Data.Scope)
	// Output:
	// 200 Signed in. Bearer email profile
}

// A refusal has a code to decide by and a message for people. A code that is new to the program is treated by the
// answer's status.
func ExampleError() {
	body := `{"email": "ada@example.com", "password": "a wrong guess"}`
	answer, err := http.Post(url+"/auth/signin", "application/json", strings.NewReader(body))
	if err != nil {
		log.Fatal(err)
	}
	defer answer.Body.Close()

	var refused api.Error
	if err := json.NewDecoder(answer.Body).Decode(&refused); err != nil {
		log.Fatal(err)
	}
	switch refused.Code {
	case api.CodeInvalidCredentials:
		fmt.Println("Ask for the password again:", refused.Message)
	case api.CodeTooManyRequests, api.CodeUnavailable:
		fmt.Println("Try again in", answer.Header.Get("Retry-After"), "seconds.")
	default:
		fmt.Println(answer.Status, refused.RequestID)
	}
	// Output:
	// Ask for the password again: Invalid Credentials
}
