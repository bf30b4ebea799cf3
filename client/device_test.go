package client_test

// Device tokens: against a real server, that a known device signs in when strangers must wait; and what is kept.

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"latchkey/api"
	"latchkey/client"
	"latchkey/internal/authtest"
)

const (
	ada         = "ada@example.com"
	newPassword = "a staple of correct batteries"
)

// guess tries wrong passwords as a stranger until even the right one would have to wait.
func guess(t *testing.T, from *client.Client, email string) {
	t.Helper()
	stranger := from.On(nil)
	for range 20 {
		_, err := stranger.SignIn(t.Context(), api.SignInRequest{Email: email, Password: "a wrong password"})
		if client.CodeOf(err) == api.CodeTooManyRequests {
			return
		}
		if client.CodeOf(err) != api.CodeInvalidCredentials {
			t.Fatal(err)
		}
	}
	t.Fatal("nobody stops a stranger")
}

// mustSignIn signs in from a device that must be known, or must not be.
func mustSignIn(t *testing.T, from *client.Client, email, password string, known bool) {
	t.Helper()
	_, err := from.SignIn(t.Context(), api.SignInRequest{Email: email, Password: password})
	if known && err != nil || !known && client.CodeOf(err) != api.CodeTooManyRequests {
		t.Fatalf("beside a stranger's guesses: %v; the device is known: %t", err, known)
	}
}

func TestAKnownDeviceSignsInBesideGuesses(t *testing.T) {
	r := authtest.New(t, authtest.SQLite(t))
	r.Clock.Stop() // else a slow test outlasts the wait
	r.AddUser(t, ada)
	r.AddUser(t, "grace@example.com")
	own := client.New(r.HTTP.URL, r.HTTP.Client())
	var first client.Device // as it was before the password changed

	for _, step := range []struct {
		name, email, password string
		do                    func(t *testing.T) error
	}{
		{"after a sign-in", ada, authtest.Password, func(t *testing.T) error {
			_, err := own.On(&first).SignIn(t.Context(), api.SignInRequest{Email: ada, Password: authtest.Password})
			if err == nil {
				_, err = own.SignIn(t.Context(), api.SignInRequest{Email: ada, Password: authtest.Password})
			}
			return err
		}},
		{"after another account's sign-in", ada, authtest.Password, func(t *testing.T) error {
			_, err := own.SignIn(t.Context(), api.SignInRequest{Email: "grace@example.com", Password: authtest.Password})
			return err
		}},
		{"under another spelling", " ADA@Example.com", authtest.Password, func(t *testing.T) error { return nil }},
		{"after a change of password", ada, newPassword, func(t *testing.T) error {
			return own.ChangePassword(t.Context(), "", api.ChangePasswordRequest{Email: ada, OldPassword: authtest.Password, NewPassword: newPassword})
		}},
		{"after a reset", ada, "another " + newPassword, func(t *testing.T) error {
			r.Deliver(t) // the notice of the change, before the mail with the link
			r.Clock.Advance(time.Minute)
			return own.ResetPassword(t.Context(), ada, api.PasswordResetRequest{Password: "another " + newPassword, Token: r.ForgotCode(t, ada)})
		}},
		{"after a sign-up", "new@example.com", newPassword, func(t *testing.T) error {
			if err := own.RequestVerification(t.Context(), api.VerificationMailRequest{Email: "new@example.com"}); err != nil {
				return err
			}
			_, err := own.SignUp(t.Context(), api.SignUpRequest{
				Email: "new@example.com", Password: newPassword, FirstName: "New", LastName: "User", VerificationCode: r.Code(t, "new@example.com"),
			})
			return err
		}},
	} {
		t.Run(step.name, func(t *testing.T) {
			if err := step.do(t); err != nil {
				t.Fatal(err)
			}
			guess(t, own, step.email)
			mustSignIn(t, own.On(nil), step.email, step.password, false)
			mustSignIn(t, own, step.email, step.password, true)
		})
	}

	guess(t, own, ada)
	mustSignIn(t, own.On(&first), ada, "another "+newPassword, false)
}

// What a program saves and reads back is known as before, and a change of password counts on the device as well.
func TestASavedDeviceIsKnown(t *testing.T) {
	r := authtest.New(t, authtest.SQLite(t))
	r.Clock.Stop()
	r.AddUser(t, ada)
	latchkey := client.New(r.HTTP.URL, r.HTTP.Client())
	var saved, read client.Device
	if _, err := latchkey.On(&saved).SignIn(t.Context(), api.SignInRequest{Email: ada, Password: authtest.Password}); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(&saved)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &read); err != nil {
		t.Fatal(err)
	}
	guess(t, latchkey, ada)
	in := api.ChangePasswordRequest{Email: ada, OldPassword: authtest.Password, NewPassword: newPassword}
	if err := latchkey.ChangePassword(t.Context(), "", in); client.CodeOf(err) != api.CodeTooManyRequests {
		t.Fatalf("the client's own device has signed nobody in: %v", err)
	}
	if err := latchkey.On(&read).ChangePassword(t.Context(), "", in); err != nil {
		t.Fatal(err)
	}
}

func TestADeviceKeepsOneTokenForEachAccount(t *testing.T) {
	var shown, handed string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		shown = strings.Join(r.Header.Values(api.DeviceHeader), ", ")
		if handed != "" {
			w.Header().Set(api.DeviceHeader, handed)
		}
		_, _ = w.Write([]byte(`{}`))
	}))
	t.Cleanup(srv.Close)
	var device client.Device
	latchkey := client.New(srv.URL, srv.Client()).On(&device)
	signIn := func(email, hands, wantShown string) {
		t.Helper()
		handed = hands
		if _, err := latchkey.SignIn(t.Context(), api.SignInRequest{Email: email}); err != nil || shown != wantShown {
			t.Errorf("%s shows %q, %v; want %q", email, shown, err, wantShown)
		}
	}
	signIn("a@x", "a1", "")
	signIn("b@x", "b1", "")
	signIn("A@X", "a2", "a1")
	signIn("b@x", "", "b1") // an answer without a token
	signIn("b@x", "", "b1")
	if err := latchkey.SignOut(t.Context(), "bearer", api.SignOutRequest{}); err != nil || shown != "" {
		t.Errorf("a call for nobody's password shows %q, %v", shown, err)
	}
	for i := range 99 {
		signIn(fmt.Sprint(i, "@x"), fmt.Sprint(i), "")
	}
	signIn("a@x", "", "a2")
	signIn("b@x", "", "") // 100 others have signed in since

	if text, err := json.Marshal(new(client.Device)); err != nil || string(text) != "[]" {
		t.Errorf("an empty device is written as %s, %v", text, err)
	}
	for _, text := range []string{`{}`, `[{"email":"c@x","token":"a\r\nb"}]`} {
		if err := json.Unmarshal([]byte(text), &device); err == nil {
			t.Errorf("%s is read", text)
		}
	}
	signIn("a@x", "", "a2")
}
