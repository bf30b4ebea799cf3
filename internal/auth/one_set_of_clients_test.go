package auth_test

import (
	"bytes"
	"log/slog"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"latchkey/internal/auth"
	"latchkey/internal/authtest"
	"latchkey/internal/clients"
	"latchkey/internal/peer"
)

// twoSets are the clients before and after a reload that renames one and makes another the default.
func twoSets(t *testing.T) (before, after *clients.Set) {
	t.Helper()
	set := func(byDefault, name, url string) *clients.Set {
		clients, err := clients.New([]clients.Client{
			{Alias: "shop", Name: name + " shop with a long name", URL: url, From: "Shop <shop@example.com>", Default: byDefault == "shop"},
			{Alias: "wallet", Name: name + " wallet with a long name", URL: "https://wallet.example.com", Default: byDefault == "wallet"},
		})
		if err != nil {
			t.Fatal(err)
		}
		return clients
	}
	return set("shop", "Old", "https://old.example.com"), set("wallet", "New", "https://new.example.com")
}

// What a password must not be, and whose mail is asked for, go by the clients that a request came with.
func TestOneRequestReadsOneSetOfClients(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		before, after := twoSets(t)
		r := authtest.New(t, db, func(o *auth.Options) { o.Clients = before })
		ctx, peer := t.Context(), peer.Peer{Clients: before}
		r.AddUser(t, "ada@example.com")
		r.In(t, "ada@example.com")
		agreeCode(t, "set", r.Service.SetPassword(ctx, "ada@example.com", "another password of hers"), "")
		_, rest, _ := strings.Cut(r.Mail(t, "ada@example.com").Text, "/end-session?token=")
		endLink, err := url.QueryUnescape(strings.Fields(rest)[0])
		if err != nil {
			t.Fatal(err)
		}
		reset := r.ForgotCode(t, "ada@example.com")
		agreeCode(t, "ask", r.Service.RequestVerification(ctx, auth.VerificationMail{Email: "eve@example.com"}, peer), "")
		signUp := r.Code(t, "eve@example.com")
		if err := r.Service.SetClients(after); err != nil {
			t.Fatal(err)
		}

		old, new := auth.Password{Value: "Old shop with a long name"}, auth.Password{Value: "New shop with a long name"}
		for password, accepted := range map[auth.Password]bool{old: false, new: true} {
			checked, err := r.Service.CheckPassword(ctx, auth.PasswordCheck{Password: password}, peer)
			if err != nil || checked.Accepted != accepted {
				t.Errorf("%s: %+v, %v", password.Value, checked, err)
			}
		}
		_, err = r.Service.SignUp(ctx, auth.SignUp{Email: "eve@example.com", Password: old, FirstName: "Eve", LastName: "Moneypenny", VerificationCode: signUp}, peer)
		agreeCode(t, "sign up", err, auth.CodePasswordNotAccepted)
		_, err = r.Service.ResetPassword(ctx, auth.ResetPassword{Email: "ada@example.com", Password: old, Token: reset}, peer)
		agreeCode(t, "reset", err, auth.CodePasswordNotAccepted)
		_, err = r.Service.ChangePassword(ctx, nil, auth.ChangePassword{Email: "ada@example.com", OldPassword: auth.Password{Value: "another password of hers"}, NewPassword: old}, peer)
		agreeCode(t, "change", err, auth.CodePasswordNotAccepted)

		r.Clock.Advance(time.Minute)
		if _, err := r.Service.EndByLink(ctx, endLink, peer); err != nil {
			t.Fatal(err)
		}
		if m := r.Mail(t, "ada@example.com"); !strings.Contains(m.From, "shop@example.com") {
			t.Errorf("the reset mail is from %s, not from the client that was the default when its request came", m.From)
		}
	})
}

// A mail's link, sender and look are of one set, although another comes while it is written. A row whose client is
// Latchkey itself, or registered no more, names nothing that an operator would have to register.
func TestOneMailReadsOneSetOfClients(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		var said bytes.Buffer
		var r *authtest.Rig
		var reload atomic.Bool
		before, after := twoSets(t)
		r = authtest.New(t, db, func(o *auth.Options) {
			o.Clients, o.Log = before, slog.New(slog.NewTextHandler(&said, nil))
			o.Store = authtest.Faults{Fail: func(m authtest.Moment) error {
				if m.Call == "write" && m.At == authtest.Committing && reload.CompareAndSwap(true, false) {
					return r.Service.SetClients(after)
				}
				return nil
			}}.On(o.Store)
		})
		r.AddUser(t, "ada@example.com")
		agreeCode(t, "ask", r.Service.RequestVerification(t.Context(), auth.VerificationMail{Email: "eve@example.com", ClientAlias: "shop"}, peer.Peer{}), "")
		reload.Store(true)
		if m := r.Mail(t, "eve@example.com"); reload.Load() || !strings.Contains(m.Text, "https://old.example.com/") || strings.Contains(m.Text, "New shop") {
			t.Errorf("a mail of two sets:\n%s", m.Text)
		}
		none, err := clients.New(nil)
		if err == nil {
			err = r.Service.SetClients(none)
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, email := range []string{"kim@example.com", "lee@example.com"} {
			agreeCode(t, "ask", r.Service.RequestVerification(t.Context(), auth.VerificationMail{Email: email}, peer.Peer{}), "")
			r.Mail(t, email)
		}
		if strings.Contains(said.String(), "not registered") {
			t.Errorf("nobody named an alias:\n%s", &said)
		}
	})
}
