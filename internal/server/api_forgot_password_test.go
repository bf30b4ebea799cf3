package server_test

// Asking for a reset link: what may be asked, what is mailed, and how often.

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"latchkey/api"
	"latchkey/internal/auth"
	"latchkey/internal/authtest"
	"latchkey/internal/clients"
	"latchkey/internal/mail"
)

// madeUp has the form of a mailed token and is nobody's.
const madeUp = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"

func (a *app) forgot(in members) answer {
	a.Helper()
	return a.post("/auth/forgot-password", in)
}

// link is what a mail says to open, in full, in the text part.
func link(m mail.Message) string {
	for line := range strings.Lines(m.Text) {
		if strings.HasPrefix(line, "http") {
			return strings.TrimSpace(line)
		}
	}
	return ""
}

// linkIs holds the newest mail to an address to base + page, with its code and that end.
func (a *app) linkIs(email, page, end string) {
	a.Helper()
	want := page + "?verificationCode=" + a.Code(a.T, email) + "&email=" + url.QueryEscape(email) + end
	if got := link(a.Mail(a.T, email)); got != want {
		a.Errorf("the link is\n%s, want\n%s", got, want)
	}
}

func TestForgotPassword(t *testing.T) {
	prove(t, "POST /auth/forgot-password", nil, []proof{
		{"200", func(a *app) {
			email := a.user()
			asked := dataOf[api.Requested](a.forgot(members{"email": " " + strings.ToUpper(email) + "\t"}).is("200"))
			if asked.Email != strings.ToUpper(email) || asked.ID == "" {
				a.Errorf("data %+v", asked)
			}
			a.linkIs(email, webURL+"/reset-password", "") // I13: to the stored address, for the default client
		}},
		{"200: null is absent", func(a *app) {
			email := a.user()
			a.post("/auth/forgot-password", `{"email":"`+email+`","brandLogoUrl":null,"platformName":null,"endpoint":null,"clientAlias":null}`).is("200")
			a.linkIs(email, webURL+"/reset-password", "")
		}},
		{"400 invalid_request", func(a *app) {
			for _, tt := range []struct{ body, blames string }{
				{`{}`, "email required"},
				{`{"email":" "}`, "email required"},
				{`{"email":null}`, "email required"},
				{`{"email":"Ada <ada@example.com>"}`, "email invalid_format"},
				{`{"email":"ada@[127.0.0.1]"}`, "email invalid_format"},
				{`{"email":"ada@localhost"}`, "email invalid_format"},
				{`{"email":"ada@example.com\nBcc: eve@example.com"}`, "email invalid_format"},
				{`{"email":["ada@example.com"],"endpoint":{},"clientAlias":1}`, "email invalid_type, endpoint invalid_type, clientAlias invalid_type"},
			} {
				a.post("/auth/forgot-password", tt.body).is("400 invalid_request").blames(tt.blames)
			}
		}},
		{"400 invalid_request: brandLogoUrl", func(a *app) {
			for _, bad := range []string{
				"logo.png", "/logo.png", "//web.example.com/logo.png", "ftp://web.example.com/l.png", "javascript:alert(1)", "data:image/png;base64,AA==",
				"https://localhost/l.png", "https://intranet/l.png", "https://192.0.2.1/l.png", "https://[2001:db8::1]/l.png", "https://printer.local/l.png",
				"https://db.internal/l.png", "https://2130706433/l.png", "https://0x7f.1/l.png", "https://user@web.example.com/l.png", "https://web.example.com\\@evil.example/l.png",
				"https://web.example.com./l.png", "https://web.exam\tple.com/l.png",
			} {
				a.forgot(members{"email": a.email(), "brandLogoUrl": bad}).is("400 invalid_request").blames("brandLogoUrl invalid_format")
			}
		}},
		{"400 unknown_client", func(a *app) {
			for _, alias := range []string{"nobody", "WEB", "latchkey"} {
				a.forgot(members{"email": a.email(), "clientAlias": alias}).is("400 unknown_client")
			}
		}},
		{"400 endpoint_not_allowed", func(a *app) {
			for _, bad := range []string{
				"https://evil.example", "http://web.example.com", "https://web.example.com:8443", "https://web.example.com.evil.example", "https://sub.web.example.com",
				"https://web.example.com@evil.example", "https://evil.example#https://web.example.com", "https://web.example.com\\.evil.example", "https://web.example.com.",
				"https://web.exаmple.com", "//web.example.com", "web.example.com", "https:web.example.com", "https://me@web.example.com/x",
				"https://web.exam\tple.com", "http://localhost:3001", "null", "*",
			} {
				email := a.user()
				a.forgot(members{"email": email, "endpoint": bad}).is("400 endpoint_not_allowed")
				if list := a.mailTo(email); len(list) > 0 {
					a.Errorf("%q: a mail went out: %s", bad, link(list[0]))
				}
			}
			a.forgot(members{"email": a.email(), "endpoint": webURL, "clientAlias": "mobile"}).is("400 endpoint_not_allowed") // another client's
		}},
		{"429 too_many_requests: mails asked for from one address", func(a *app) {
			for i := range 30 {
				a.forgot(members{"email": fmt.Sprintf("m%d@example.com", i)}).is("200")
			}
			known, unknown := a.user(), a.email()
			limited := map[string]seen{}
			for _, email := range []string{known, unknown} {
				limited[email] = masked(a.forgot(members{"email": email}).is("429 too_many_requests"))
			}
			if got := limited[known].Header.Get("Retry-After"); got == "" || limited[known].Body != limited[unknown].Body {
				a.Errorf("Retry-After %q; known %+v, unknown %+v", got, limited[known], limited[unknown])
			}
			a.Clock.Start() // or no mail is ever due
			a.post("/auth/forgot-password", members{"email": known}, from(a.node.address())).is("200")
			if len(a.mailTo(known)) != 1 {
				a.Error("the refused request was mailed, or the later one was not")
			}
		}},
	})
}

// What is mailed, to whom, and where its link leads (I13).
func TestForgotPasswordMail(t *testing.T) {
	prove(t, "POST /auth/forgot-password", nil, []proof{
		{"200: links lead where they should", func(a *app) {
			for _, tt := range []struct {
				in        members
				base, end string
			}{
				{members{"clientAlias": " mobile "}, mobileURL, "&clientAlias=mobile"},
				{members{"endpoint": " " + webURL + "\n"}, webURL, ""},
				{members{"endpoint": "http://localhost:3000/"}, "http://localhost:3000", ""},
				{members{"endpoint": "HTTPS://Mobile.Example.com:443/welcome"}, mobileURL, ""},
				{members{"endpoint": webURL + "/nothing/here", "clientAlias": "web"}, webURL, "&clientAlias=web"},
				{members{"endpoint": webURL + "//evil.example"}, webURL, ""},
				{members{"endpoint": webURL + "/../x?u=https://evil.example#y"}, webURL, ""},
				{members{"endpoint": "https://mobile.example.com", "clientAlias": "mobile"}, mobileURL, "&clientAlias=mobile"},
			} {
				email := a.user()
				tt.in["email"] = email
				a.forgot(tt.in).is("200")
				a.linkIs(email, tt.base+"/reset-password", tt.end)
			}
		}},
		{"200: neither Host nor a forwarding header leads a link anywhere", func(a *app) {
			email := a.user()
			a.post("/auth/forgot-password", members{"email": email}, "X-Forwarded-Host: evil.example", "Forwarded: host=evil.example", "X-Forwarded-Proto: http", "Origin: https://evil.example", "Referer: https://evil.example/").is("200")
			a.linkIs(email, webURL+"/reset-password", "")
		}},
		{"200: an address with signs in it", func(a *app) {
			email := a.AddUser(a.T, "o'neil+tag/1@example.com").Email
			a.forgot(members{"email": email}).is("200")
			a.linkIs(email, webURL+"/reset-password", "")
			a.reset(email, a.Code(a.T, email), "another "+authtest.Password).is("200")
		}},
		{"200: platformName and logo", func(a *app) {
			for _, tt := range []struct {
				in             members
				platform, logo string
			}{
				{members{}, "Example Web", webURL + "/logo.png"},
				{members{"platformName": " Example Mobile "}, "Example Mobile", webURL + "/logo.png"},
				{members{"platformName": "B&B (Nord) 2.0 - d'Or"}, "Example Web", webURL + "/logo.png"},
				{members{"platformName": "URGENT call 1-800-555-0199"}, "Example Web", webURL + "/logo.png"},
				{members{"platformName": "evil.example"}, "Example Web", webURL + "/logo.png"},
				{members{"platformName": "a\nb"}, "Example Web", webURL + "/logo.png"},
				{members{"platformName": strings.Repeat("x", 4000)}, "Example Web", webURL + "/logo.png"},
				{members{"brandLogoUrl": webURL + "/other.png"}, "Example Web", webURL + "/other.png"},
				{members{"brandLogoUrl": "https://elsewhere.example/x.png"}, "Example Web", webURL + "/logo.png"},
				{members{"clientAlias": "mobile"}, "Example Mobile", ""},
			} {
				email := a.user()
				tt.in["email"] = email
				a.forgot(tt.in).is("200")
				m := a.Mail(a.T, email)
				if !strings.HasSuffix(m.Subject, " - "+tt.platform) {
					a.Errorf("%v: subject %q", tt.in, m.Subject)
				}
				if shown := strings.Contains(m.HTML, `<img src="`+tt.logo+`"`); shown != (tt.logo != "") || strings.Contains(m.HTML, "elsewhere.example") {
					a.Errorf("%v: the logo is not %q:\n%s", tt.in, tt.logo, m.HTML)
				}
				if mobile := tt.in["clientAlias"] == "mobile"; mobile != (m.From == "Mobile <mobile@example.com>") {
					a.Errorf("%v: from %q", tt.in, m.From)
				}
			}
		}},
		{"200: who gets a mail", func(a *app) {
			pw := authtest.Password
			disabled := a.user()
			if err := a.Service.DisableUser(a.Context(), disabled); err != nil {
				a.Fatal(err)
			}
			for email, mails := range map[string]int{
				a.email(): 0, disabled: 0, a.user(): 1,
				a.add(auth.NewUser{Email: a.email(), Password: &pw, Unverified: true}).Email: 1,
				a.add(auth.NewUser{Email: a.email()}).Email:                                  1,
			} {
				a.forgot(members{"email": email}).is("200")
				if got := len(a.mailTo(email)); got != mails {
					a.Errorf("%d mails to %s, want %d", got, email, mails)
				}
			}
		}},
	})
}

// How often: the same for every address, and silently.
func TestForgotPasswordBudget(t *testing.T) {
	prove(t, "POST /auth/forgot-password", nil, []proof{
		{"200: one mail a minute, five an hour, and the mailed link stays good", func(a *app) {
			email := a.user()
			ask := func(after time.Duration, total int) {
				a.Helper()
				a.Clock.Advance(after)
				a.forgot(members{"email": email}).is("200")
				if got := len(a.mailTo(email)); got != total {
					a.Fatalf("%d mails, want %d", got, total)
				}
			}
			ask(0, 1)
			ask(45*time.Second, 1)
			ask(16*time.Second, 2) // a minute after the first
			for i := range 3 {
				ask(61*time.Second, 3+i)
			}
			ask(61*time.Second, 5) // the sixth within the hour
			ask(54*time.Minute, 5)
			code := a.Code(a.T, email)
			ask(61*time.Second, 6)                                    // an hour after the first
			a.reset(email, code, "x").is("400 password_not_accepted") // which a dead link is never told
			ask(time.Second, 6)
			a.verifyMail(members{"email": email}).is("201") // another purpose has its own count
			a.reset(email, code, "another "+authtest.Password).is("200")
		}},
		{"200: a spent link clears the count", func(a *app) {
			email := a.user()
			a.reset(email, a.ForgotCode(a.T, email), "another "+authtest.Password).is("200")
			a.reset(email, a.ForgotCode(a.T, email), "once more "+authtest.Password).is("200")
			a.change(email, "once more "+authtest.Password, authtest.Password).is("200")
			a.forgot(members{"email": email}).is("200")
			if got := a.subjects(email); strings.Count(got, "Reset your password") != 3 {
				a.Errorf("mails: %s", got)
			}
		}},
	})
}

// Where no client is registered, links lead to Latchkey's own pages.
func TestLinksWithoutClients(t *testing.T) {
	none := func(o *auth.Options) {
		var err error
		if o.Clients, err = clients.New(nil); err != nil {
			t.Fatal(err)
		}
	}
	onBothEngines(t, none, func(t *testing.T, n *node) {
		a := n.enter(t)
		known, unknown := a.user(), a.email()
		a.forgot(members{"email": known}).is("200")
		a.linkIs(known, a.Options.Issuer+"/reset-password", "")
		a.verifyMail(members{"email": unknown}).is("201")
		a.linkIs(unknown, a.Options.Issuer+"/verify-email-success", "")
		a.forgot(members{"email": known, "endpoint": a.Options.Issuer}).is("400 endpoint_not_allowed")
		a.forgot(members{"email": known, "clientAlias": "latchkey"}).is("400 unknown_client")
		tokens := a.In(t, known)
		if got := jwt(t, tokens.RefreshToken).claims["azp"]; got != "latchkey" {
			t.Errorf("azp %v, want latchkey", got)
		}
	})
}
