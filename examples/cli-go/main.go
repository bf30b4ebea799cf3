// Cli-go is a program for the command line that people sign in to. The browser opens once: the session is kept in a file
// of the user's, for the next start and for other processes, until somebody signs out.
//
//	go run .              who is signed in
//	go run . hello        call an API: examples/verify-go
//	go run . sign-out
package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"path/filepath"

	"latchkey/client"
)

func main() {
	log.SetFlags(0)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, append(os.Args, "")[1]); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, command string) error {
	issuer := cmp.Or(os.Getenv("ISSUER"), "http://localhost:8080") // LATCHKEY_PUBLIC_URL
	api := cmp.Or(os.Getenv("API"), "http://localhost:8081")
	config, err := os.UserConfigDir()
	if err != nil {
		return err
	}
	app := client.App{Issuer: issuer, ClientID: "cli", File: filepath.Join(config, "cli-go", "session.json")}
	if command == "sign-out" {
		app.Open = func(string) error { return client.ErrSignedOut } // nobody signs in only to sign out
	}
	session, err := client.SignIn(ctx, app)
	if err != nil {
		return err
	}

	switch command {
	case "":
		token, err := session.Token(ctx)
		if err != nil {
			return err
		}
		user, err := client.New(issuer, nil).AppUserInfo(ctx, token)
		if err != nil {
			return err
		}
		fmt.Println("You are signed in as", user.Email)
		return nil
	case "hello":
		answer, err := session.HTTPClient(api).Get(api + "/hello")
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		_, err = io.Copy(os.Stdout, answer.Body)
		return err
	case "sign-out":
		return session.SignOut(ctx)
	default:
		return fmt.Errorf("unknown command %q: write hello, sign-out, or nothing", command)
	}
}
