package pages

// Every page with made-up contents: what `latchkey theme preview` shows, and what a start draws so that a
// broken template is found then and not by a visitor.

import (
	"html/template"
	"net/url"
	"strings"
	"time"

	"latchkey/internal/brand"
)

// Sample is a page in one of its states.
type Sample struct {
	Title string // for whoever looks at it, in English: the page's name and state
	View  View
}

// Samples returns every page in every state, for a brand, in a language.
func Samples(look brand.Brand, language string) []Sample {
	now := time.Date(2026, 11, 25, 9, 30, 0, 0, time.UTC)
	base := View{
		Printer: look.Printer(language), Brand: look, Now: now, SignUpOpen: true, PasswordMin: 8, Here: "/signin",
		Values:  map[string]string{"email": "ada@example.com", "verificationCode": "sample", "token": "sample"},
		Carried: url.Values{"clientAlias": {"web"}},
	}
	page := func(title, name string, change func(*View)) Sample {
		v := base
		v.Name = name
		if change != nil {
			change(&v)
		}
		return Sample{title, v}
	}
	done := func(what, say string) func(*View) {
		return func(v *View) { v.Data = Done{What: what, Next: "/signin", Say: say} }
	}
	checkMail := func(what string) func(*View) { return func(v *View) { v.Data = CheckMail{For: what} } }
	return append([]Sample{
		page("sign in", "sign_in", nil),
		page("sign in, wrong password", "sign_in", func(v *View) { v.Problem = &Said{Key: "problem.invalid_credentials"} }),
		page("sign in, too many attempts", "sign_in", func(v *View) {
			v.Problem = &Said{Key: "problem.too_many_requests", Args: []any{8}}
		}),
		page("sign up", "sign_up", nil),
		page("sign up, not an address", "sign_up", func(v *View) {
			v.Problem = &Said{Key: "problem.invalid_request"}
			v.FieldErrors = map[string]Said{"email": {Key: "field_error.invalid_format"}}
		}),
		page("sign up, closed", "sign_up", func(v *View) { v.SignUpOpen = false }),
		page("check your mail, sign up", "check_mail", checkMail("sign_up")),
		page("check your mail, forgotten password", "check_mail", checkMail("forgot_password")),
		page("check your mail, ended session", "check_mail", func(v *View) {
			checkMail("end_session")(v)
			v.Values = map[string]string{"email": ""} // the link of a notice does not say whose it is
		}),
		page("check your mail, in development", "check_mail", func(v *View) {
			checkMail("sign_up")(v)
			v.Inbox = "/dev/inbox"
		}),
		page("confirm the address", "verify", nil),
		page("complete sign-up", "complete_sign_up", nil),
		page("complete sign-up, password not accepted", "complete_sign_up", func(v *View) {
			v.Problem = &Said{Key: "problem.password_not_accepted"}
			v.FieldErrors = map[string]Said{"password": {Key: "field_error.too_short", Args: []any{8}}}
		}),
		page("forgotten password", "forgot_password", nil),
		page("choose a new password", "reset_password", nil),
		page("change the password", "change_password", signedIn),
		page("sessions", "account", func(v *View) { signedIn(v); v.Data = sampleAccount(now) }),
		page("sessions, one ended", "account", func(v *View) {
			signedIn(v)
			v.Note = &Said{Key: "account.note.ended"}
			v.Data = Account{Sessions: sampleAccount(now).Sessions[:1]}
		}),
		page("sessions, with applications", "account", func(v *View) {
			signedIn(v)
			v.Note = &Said{Key: "account.note.consent_revoked"}
			v.Data = withApps(sampleAccount(now), now)
		}),
		page("sessions, many, of a long address", "account", func(v *View) {
			v.SignedIn = longAddress
			v.Data = manySessions(sampleAccount(now))
		}),
		page("that was not you", "end_session", nil),
		page("password reset", "done", done("reset", "done.next.sign_in")),
		page("address confirmed", "done", done("verified", "done.next.sign_in")),
		page("signed up", "done", done("signed_up", "done.next.sign_in")),
		page("session ended", "done", done("session_ended", "done.next.sign_in")),
		page("signed out", "done", done("signed_out", "done.next.sign_in")),
		page("problem", "problem", func(v *View) { v.Problem = &Said{Key: "problem.server_error"} }),
		page("expired link", "problem", func(v *View) {
			v.Problem = &Said{Key: "problem.invalid_reset_token"}
			v.Data = Done{Next: "/forgot-password", Say: "problem.ask_again"}
		}),
		page("inbox", "inbox", nil),
		page("inbox, locked", "problem", func(v *View) { v.Problem = &Said{Key: "inbox.locked"} }),
	}, flowSamples(page)...)
}

// flowSamples are the pages on the way to an application, which has the brand's name as a registered one has.
func flowSamples(page func(title, name string, change func(*View)) Sample) []Sample {
	toApp := func(title, name string, change func(*View)) Sample {
		return page(title, name, func(v *View) {
			v.App, v.Cancel, v.Still = v.Brand.Name, "/oauth/cancel?flow=sample", true
			v.Carried = url.Values{"clientAlias": {"web"}, "flow": {"sample"}}
			change(v)
		})
	}
	plain := func(*View) {}
	back := template.URL("https://shop.example/callback?code=sample&state=sample&iss=https%3A%2F%2Fid.example")
	known := func(v *View) { signedIn(v); v.Onward = "/oauth/authorize?flow=sample" }
	unknown := func(what string) func(*View) {
		return func(v *View) { v.Here, v.Brand.Home, v.Data = "", "", AppProblem{Unknown: what} }
	}
	return []Sample{
		toApp("sign in to an application", "sign_in", plain),
		toApp("sign in to an application, signed in already", "sign_in", known),
		toApp("sign up for an application", "sign_up", plain),
		toApp("sign up for an application, signed in already", "sign_up", known),
		toApp("check your mail, for an application", "check_mail", func(v *View) { v.Data = CheckMail{For: "sign_up"} }),
		toApp("continue to an application", "continue", signedIn),
		toApp("continue to an application, a long name and address", "continue", func(v *View) {
			v.App = strings.Repeat("Municipal Gardening ", 4)[:64] // as long as one may be
			v.Brand.Name, v.SignedIn = v.App, longAddress
		}),
		toApp("consent", "consent", func(v *View) {
			signedIn(v)
			v.Data = Consent{Scopes: []string{"openid", "email", "profile", "offline_access", "account"}}
		}),
		toApp("back to the application", "go_on", func(v *View) { v.Cancel, v.Here, v.Data = "", "", GoOn{URL: back} }),
		toApp("back to the application, by a form", "form_post", func(v *View) {
			v.Cancel, v.Here, v.Data = "", "", FormPost{Action: "https://shop.example/callback"}
			v.Hidden = []Hidden{{"code", "sample"}, {"state", "sample"}, {"iss", "https://id.example"}}
		}),
		toApp("the application has to be started again", "done", func(v *View) {
			v.Cancel, v.Data = "", Done{What: "flow_over", Next: "https://shop.example", Say: "done.next.go_on", App: v.App}
		}),
		toApp("password reset, for an application in another browser", "done", func(v *View) {
			v.Cancel, v.Data = "", Done{What: "reset", Next: "https://shop.example", Say: "done.next.go_on", App: v.App}
		}),
		toApp("the browser keeps no cookies", "done", func(v *View) {
			v.Cancel, v.Data = "", Done{What: "cookies_refused", Next: "https://shop.example", Say: "done.next.go_on", App: v.App}
		}),
		page("sign out?", "sign_out", func(v *View) { signedIn(v); v.Here, v.Hidden = "", []Hidden{{"request", "sample"}} }),
		page("application not registered", "app_problem", unknown("client")),
		page("address of an application not registered", "app_problem", unknown("redirect_uri")),
	}
}

// longAddress is as long as one may be (RFC 5321 §4.5.3.1).
var longAddress = strings.Repeat("a", 64) + "@" + strings.Repeat("b", 63) + "." + strings.Repeat("c", 63) + "." + strings.Repeat("d", 57) + ".com"

// manySessions are as many as an account may have by default, and as many ended ones as are shown.
func manySessions(a Account) Account {
	for len(a.Sessions) < 50 {
		a.Sessions = append(a.Sessions, a.Sessions[1+len(a.Sessions)%2])
	}
	for len(a.Ended) < 20 {
		a.Ended = append(a.Ended, a.Ended[len(a.Ended)%2])
	}
	return a
}

func signedIn(v *View) { v.SignedIn = "ada@example.com" }

func sampleAccount(now time.Time) Account {
	made := func(id, browser, os, kind, addr string, first, last time.Duration) Session {
		return Session{
			ID: id, Browser: browser, OS: os, Kind: kind, Addr: addr,
			FirstSeen: now.Add(-first), LastSeen: now.Add(-last),
		}
	}
	const day = 24 * time.Hour
	here := made("1", "Firefox 145", "Linux", "desktop", "203.0.113.7", 3*day, 20*time.Second)
	here.Current = true
	gone := made("4", "Chrome 142", "Windows", "desktop", "198.51.100.9", 9*day, 4*day)
	gone.EndedAt, gone.Reason = now.Add(-2*day), "password_changed"
	copied := made("5", "Safari 19", "iOS", "mobile", "2001:db8::7", 12*day, 5*day)
	copied.EndedAt, copied.Reason = now.Add(-5*day), "refresh_reuse"
	return Account{
		Sessions: []Session{
			here,
			made("2", "Safari 19", "iOS", "mobile", "2001:db8::42", 11*day, 5*time.Hour),
			made("3", "", "", "unknown", "192.0.2.80", 20*day, 13*day),
		},
		Ended: []Session{gone, copied},
	}
}

// withApps puts applications into the browsers of an account, and among what has ended.
func withApps(a Account, now time.Time) Account {
	app := func(id, name string, ago time.Duration) App { return App{ID: id, Name: name, LastSeen: now.Add(-ago)} }
	a.Sessions[0].Apps = []App{app("6", "Shop", 4*time.Minute), app("7", "Forum", 50*time.Hour)}
	a.Sessions[1].Apps = []App{app("8", "Shop", 6*time.Hour)}
	a.Sessions[2].App = "Wallet"
	a.Allowed = []Allowed{{Client: "forum", Name: "Forum", Scopes: []string{"openid", "email"}, GrantedAt: now.Add(-50 * time.Hour)}}
	for _, reason := range []string{"signed_out_elsewhere", "code_reused", "consent_revoked"} {
		over := a.Ended[0]
		over.ID, over.App, over.Reason = reason, "Forum", reason
		a.Ended = append(a.Ended, over)
	}
	return a
}
