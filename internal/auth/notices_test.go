package auth_test

// Notices and their links, on both engines.

import (
	"context"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"latchkey/api"
	"latchkey/client"
	"latchkey/internal/auth"
	"latchkey/internal/authtest"
	"latchkey/internal/clients"
	"latchkey/internal/mail"
	"latchkey/internal/peer"
)

const (
	firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
	safari  = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1"
)

func at(addr, agent string, devices ...string) peer.Peer {
	return peer.Peer{Addr: netip.MustParseAddr(addr), UserAgent: agent, Devices: devices}
}

// A notice goes out only when browser and system and network are all new, no device token is shown, it
// is not the first sign-in, and none went out in the last hour.
func TestNewDeviceNotice(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		r := authtest.New(t, db)
		r.AddUser(t, "ada@example.com")
		known := ""
		for _, step := range []struct {
			name    string
			peer    peer.Peer
			after   time.Duration
			noticed bool
		}{
			{"the first sign-in", at("203.0.113.7", firefox), 0, false},
			{"the same again", at("203.0.113.7", firefox), time.Hour, false},
			{"another browser at home", at("203.0.113.99", safari), time.Hour, false},
			{"the same browser elsewhere", at("198.51.100.7", firefox), time.Hour, false},
			{"nothing familiar", at("192.0.2.7", "curl/8.5.0"), time.Hour, true},
			{"nothing familiar, within the hour", at("2001:db8::7", "Wget/1.21"), 10 * time.Minute, false},
			{"nothing familiar, later", at("2001:db8:1::7", "Lynx/2.9"), time.Hour, true},
		} {
			t.Run(step.name, func(t *testing.T) {
				r.Clock.Advance(step.after)
				before := len(r.Mailbox.Messages())
				tokens, err := attempt(r, "ada@example.com", authtest.Password, step.peer)
				if err != nil {
					t.Fatal(err)
				}
				known = tokens.Device
				r.Deliver(t)
				if got := len(r.Mailbox.Messages()) > before; got != step.noticed {
					t.Errorf("noticed: %t, want %t", got, step.noticed)
				}
			})
		}
		r.Clock.Advance(2 * time.Hour)
		before := len(r.Mailbox.Messages())
		if _, err := attempt(r, "ada@example.com", authtest.Password, at("100.64.0.1", "Dillo/3.1", known)); err != nil {
			t.Fatal(err)
		}
		r.Deliver(t)
		if len(r.Mailbox.Messages()) > before {
			t.Error("a known device was noticed")
		}
	})
}

// A notice speaks for the client that its session was signed in with, or for the default one when that
// is gone.
func TestNoticeSpeaksForItsClient(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		ctx := context.Background()
		web := clients.Client{Alias: "web", Name: "Example Web", URL: "https://web.example.com", Default: true}
		mobile := clients.Client{Alias: "mobile", Name: "Example Mobile", URL: "https://mobile.example.com", From: "Mobile <mobile@example.com>"}
		registered := func(list ...clients.Client) func(*auth.Options) {
			return func(o *auth.Options) {
				var err error
				if o.Clients, err = clients.New(list); err != nil {
					t.Fatal(err)
				}
			}
		}
		r := authtest.New(t, db, registered(web, mobile))
		for name, test := range map[string]struct {
			delivers       *authtest.Rig
			subject, sends string
		}{
			"registered":    {r, "Example Mobile", "Mobile <mobile@example.com>"},
			"gone":          {authtest.New(t, db, registered(web)), "Example Web", r.Options.MailFrom},
			"none any more": {authtest.New(t, db), "Latchkey", r.Options.MailFrom},
		} {
			email := strings.ReplaceAll(name, " ", "") + "@example.com"
			r.AddUser(t, email)
			for _, peer := range []peer.Peer{at("203.0.113.7", firefox), at("192.0.2.7", safari)} {
				if _, err := r.Service.SignIn(ctx, auth.SignIn{Email: email, Password: auth.Password{Value: authtest.Password}, ClientAlias: "mobile"}, peer); err != nil {
					t.Fatal(err)
				}
			}
			if test.delivers != r {
				test.delivers.Clock.Advance(time.Second) // nodes' clocks agree to a few milliseconds
			}
			if m := test.delivers.Mail(t, email); !strings.HasSuffix(m.Subject, " - "+test.subject) || m.From != test.sends {
				t.Errorf("%s: %q from %q, want one for %s from %q", name, m.Subject, m.From, test.subject, test.sends)
			}
		}
	})
}

var endLink = regexp.MustCompile(`http://localhost:8080/end-session\?token=(\S+)`)

// The link of a notice ends the session it tells of, and no other; it is good for a week and for
// nothing else.
func TestNoticeLinkEndsItsSession(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		r := authtest.New(t, db)
		ctx := context.Background()
		r.AddUser(t, "ada@example.com")
		mine, err := attempt(r, "ada@example.com", authtest.Password, at("203.0.113.7", firefox))
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := attempt(r, "ada@example.com", authtest.Password, at("192.0.2.7", "curl/8.5.0"))
		if err != nil {
			t.Fatal(err)
		}
		found := endLink.FindStringSubmatch(r.Mail(t, "ada@example.com").Text)
		if found == nil {
			t.Fatal("the notice has no link")
		}
		raw, err := url.QueryUnescape(found[1])
		if err != nil {
			t.Fatal(err)
		}
		for _, bad := range []string{"", raw + "x", strings.ToUpper(raw), raw[:len(raw)-1], mine.Device, mine.RefreshToken, theirs.AccessToken} {
			if _, err := r.Service.EndByLink(ctx, bad, peer.Peer{}); auth.CodeOf(err) != auth.CodeInvalidVerificationCode {
				t.Errorf("a wrong token: got %v", err)
			}
		}
		for range 2 { // twice ends nothing more
			if _, err := r.Service.EndByLink(ctx, raw, peer.Peer{}); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := r.UserInfo(ctx, theirs.AccessToken); client.CodeOf(err) != "invalid_token" {
			t.Errorf("the session it told of: got %v, want invalid_token", err)
		}
		if _, err := r.UserInfo(ctx, mine.AccessToken); err != nil {
			t.Errorf("another session: %v", err)
		}
		r.Clock.Advance(8 * 24 * time.Hour)
		if _, err := r.Service.EndByLink(ctx, raw, peer.Peer{}); auth.CodeOf(err) != auth.CodeInvalidVerificationCode {
			t.Errorf("after a week: got %v", err)
		}
	})
}

// A browser is signed out whole by the link of the notice that tells of its sign-in: the apps with the page session,
// whether that is still the one, was replaced by a new proof, or has run out.
func TestNoticeLinkEndsABrowser(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		r := authtest.New(t, db, withApps, func(o *auth.Options) { o.RefreshIdle = 2 * time.Hour })
		for name, since := range map[string]func(t *testing.T, email string, page auth.PageSession, app auth.Tokens){
			"at once": func(*testing.T, string, auth.PageSession, auth.Tokens) {},
			"replaced": func(t *testing.T, email string, page auth.PageSession, _ auth.Tokens) {
				_, err := r.Service.SignInPage(t.Context(), auth.SignIn{Email: email, Password: auth.Password{Value: authtest.Password}, Replaces: page.Token}, peer.Peer{})
				agreeCode(t, "sign in again", err, "")
			},
			"run out": func(t *testing.T, _ string, _ auth.PageSession, app auth.Tokens) {
				for range 4 { // the app's session goes on
					r.Clock.Advance(time.Hour)
					next, err := refreshApp(r, "shop", app.RefreshToken)
					agreeCode(t, "refresh", err, "")
					app = next
				}
				sweepAnew(t, r)
			},
		} {
			t.Run(name, func(t *testing.T) {
				email := mailboxOf(name)
				r.AddUser(t, email)
				_, err := attempt(r, email, authtest.Password, at("203.0.113.7", firefox))
				agreeCode(t, "sign in", err, "")
				page, err := r.Service.SignInPage(t.Context(), auth.SignIn{Email: email, Password: auth.Password{Value: authtest.Password}}, at("192.0.2.7", safari))
				agreeCode(t, "sign in on a page", err, "")
				app := exchange(t, r, "shop", codeFor(t, r, page, "shop"))
				raw, err := url.QueryUnescape(endLink.FindStringSubmatch(r.Mail(t, email).Text)[1])
				if err != nil {
					t.Fatal(err)
				}
				since(t, email, page, app)
				if got := rowOf(t, r, app.SessionID).EndReason; got != "" {
					t.Fatalf("the app's session has ended before, for %q", got)
				}
				_, err = r.Service.EndByLink(t.Context(), raw, peer.Peer{})
				agreeCode(t, "the link", err, "")
				if got := rowOf(t, r, app.SessionID).EndReason; got != auth.ReasonSignedOutElsewhere {
					t.Errorf("the app's session ended for %q", got)
				}
			})
		}
	})
}

// The link of a notice about the password ends what was made until then, and nothing that came later.
func TestNoticeLinkSignsOutEverywhere(t *testing.T) {
	r := authtest.New(t, authtest.SQLite(t))
	ctx := context.Background()
	r.AddUser(t, "ada@example.com")
	before := r.In(t, "ada@example.com")
	err := r.ChangePassword(ctx, before.AccessToken, api.ChangePasswordRequest{
		Email: "ada@example.com", OldPassword: authtest.Password, NewPassword: "another fine passphrase",
	})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := url.QueryUnescape(endLink.FindStringSubmatch(r.Mail(t, "ada@example.com").Text)[1])
	if err != nil {
		t.Fatal(err)
	}
	after, err := r.SignIn(ctx, api.SignInRequest{Email: "ada@example.com", Password: "another fine passphrase"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Service.EndByLink(ctx, raw, peer.Peer{}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.UserInfo(ctx, before.AccessToken); client.CodeOf(err) != "invalid_token" {
		t.Errorf("a session from before: got %v, want invalid_token", err)
	}
	if _, err := r.UserInfo(ctx, after.AccessToken); err != nil {
		t.Errorf("a session from after: %v", err)
	}
}

// It also ends what comes later from a page session of before, that of whoever changed the password there; the same once that
// session has run out and is marked so.
func TestNoticeLinkEndsWhatCameFromBefore(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		for name, pass := range untilRunOut {
			r, email := authtest.New(t, db, withApps, func(o *auth.Options) { o.RefreshIdle = 2 * time.Hour }), mailboxOf("before "+name)
			r.AddUser(t, email)
			page := inPage(t, r, email)
			_, err := r.Service.ChangePassword(t.Context(), &page.Caller, auth.ChangePassword{
				Email: email, OldPassword: auth.Password{Value: authtest.Password}, NewPassword: auth.Password{Value: "another fine passphrase"},
			}, peer.Peer{})
			agreeCode(t, "change the password", err, "")
			raw, err := url.QueryUnescape(endLink.FindStringSubmatch(r.Mail(t, email).Text)[1])
			if err != nil {
				t.Fatal(err)
			}
			r.Clock.Advance(time.Minute)
			app := exchange(t, r, "shop", codeFor(t, r, page, "shop"))
			pass(t, r, app)
			if got := rowOf(t, r, app.SessionID).EndReason; got != "" {
				t.Fatalf("%s: the app's session has ended before, for %q", name, got)
			}
			_, err = r.Service.EndByLink(t.Context(), raw, peer.Peer{})
			agreeCode(t, "the link", err, "")
			if got := rowOf(t, r, app.SessionID).EndReason; got != auth.ReasonRevoked {
				t.Errorf("%s: the app's session ended for %q", name, got)
			}
		}
	})
}

// The link of a notice asks for a reset mail, to the account's own address, that leads to the hosted pages; as
// often as anybody may ask for one, and for no refusal.
func TestNoticeLinkAsksForReset(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		r := authtest.New(t, db)
		ctx := context.Background()
		r.AddUser(t, "ada@example.com")
		if err := r.Service.SetPassword(ctx, "ada@example.com", "what a thief has set"); err != nil {
			t.Fatal(err)
		}
		raw, err := url.QueryUnescape(endLink.FindStringSubmatch(r.Mail(t, "ada@example.com").Text)[1])
		if err != nil {
			t.Fatal(err)
		}
		follow := func() (mailed int) {
			t.Helper()
			before := len(r.Mailbox.Messages())
			if asked, err := r.Service.EndByLink(ctx, raw, peer.Peer{}); err != nil || !asked {
				t.Fatalf("asked for a reset: %t, %v", asked, err)
			}
			r.Deliver(t)
			return len(r.Mailbox.Messages()) - before
		}
		r.Clock.Advance(time.Second)
		if mailed := follow(); mailed != 1 {
			t.Fatalf("%d mails, want one", mailed)
		}
		m := r.Mail(t, "ada@example.com")
		if !strings.Contains(m.Text, "http://localhost:8080/reset-password?verificationCode=") {
			t.Errorf("the reset mail leads elsewhere:\n%s", m.Text)
		}
		code := r.Code(t, "ada@example.com")
		if mailed := follow(); mailed != 0 {
			t.Errorf("%d mails for the same link at once, want none", mailed)
		}
		_, err = r.Service.ForgotPassword(ctx, auth.ForgotPassword{Email: "ada@example.com"}, peer.Peer{})
		agreeCode(t, "asked for by hand too", err, "")
		if _, err := r.Service.ResetPassword(ctx, auth.ResetPassword{
			Email: "ada@example.com", Token: code, Password: auth.Password{Value: authtest.Password},
		}, peer.Peer{}); err != nil {
			t.Errorf("the mailed link: %v", err)
		}
		if err := r.Service.DisableUser(ctx, "ada@example.com"); err != nil {
			t.Fatal(err)
		}
		if asked, err := r.Service.EndByLink(ctx, raw, peer.Peer{}); err != nil || asked {
			t.Errorf("disabled: asked for a reset: %t, %v", asked, err)
		}
		if err := r.Service.DeleteUser(ctx, "ada@example.com"); err != nil {
			t.Fatal(err)
		}
		if asked, err := r.Service.EndByLink(ctx, raw, peer.Peer{}); err != nil || asked {
			t.Errorf("deleted: asked for a reset: %t, %v", asked, err)
		}
	})
}

// Both addresses of a change are told, each with a link that ends what was made until then and nothing
// that came later: the old mailbox has no say in the account any more.
func TestNoticeOfANewAddressHasALink(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		r := authtest.New(t, db)
		ctx := context.Background()
		r.AddUser(t, "ada@example.com")
		before := r.In(t, "ada@example.com")
		if err := r.Service.SetEmail(ctx, "ada@example.com", "countess@example.com"); err != nil {
			t.Fatal(err)
		}
		notices := map[string]mail.Message{} // before the sign-in, which is the first one known of the new address
		for _, address := range []string{"ada@example.com", "countess@example.com"} {
			notices[address] = r.Mail(t, address)
		}
		r.Clock.Advance(time.Second)
		after := r.In(t, "countess@example.com")
		r.Deliver(t)
		for address, notice := range notices {
			found := endLink.FindStringSubmatch(notice.Text)
			if found == nil || !strings.Contains(notice.HTML, "/end-session?token=") {
				t.Fatalf("the notice to %s has no link", address)
			}
			raw, err := url.QueryUnescape(found[1])
			if err != nil {
				t.Fatal(err)
			}
			before := len(r.Mailbox.Messages())
			if asked, err := r.Service.EndByLink(ctx, raw, peer.Peer{}); err != nil || asked {
				t.Fatalf("the link to %s: asked for a reset: %t, %v", address, asked, err)
			}
			if r.Deliver(t); len(r.Mailbox.Messages()) > before {
				t.Errorf("the link to %s had something mailed", address)
			}
			if err := r.ResetPassword(ctx, "countess@example.com", api.PasswordResetRequest{Password: authtest.Password, Token: raw}); client.CodeOf(err) != "invalid_reset_token" {
				t.Errorf("the link to %s to reset the password: got %v", address, err)
			}
		}
		if _, err := r.UserInfo(ctx, before.AccessToken); client.CodeOf(err) != "invalid_token" {
			t.Errorf("a session from before: got %v, want invalid_token", err)
		}
		if _, err := r.UserInfo(ctx, after.AccessToken); err != nil {
			t.Errorf("a session from after: %v", err)
		}
	})
}
