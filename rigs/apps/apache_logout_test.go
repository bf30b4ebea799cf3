package apps

// mod_auth_openidc told of what happened elsewhere: the answer posted to it as a form, and sign-outs at Latchkey.

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"latchkey/internal/authtest"
)

// The module keys its sessions by sid where discovery says that the provider tells of ended ones, so the configuration
// is the recipe. The person is in by two browsers and leaves in one of them.
func TestModAuthOpenIDCIsTold(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		app := onServer(t, "apache")
		app.callback = app.URL + "/app/callback"
		app.Redirects = []string{app.callback}
		app.Ended = app.callback + "?logout=backchannel"
		p := newProvider(t, db, nil, app)
		recipe := apacheRecipe(t, p, app, "OIDCResponseMode form_post")
		if registered := `backchannel_logout_uri = "` + app.Ended + `"`; !strings.Contains(recipe, registered) {
			t.Errorf("the recipe does not say %s:\n%s", registered, recipe)
		}
		startApache(t, app, recipe)

		leaving, staying := newVisitor(t, ""), newVisitor(t, "")
		for _, v := range []*visitor{leaving, staying} {
			if got := byForm(v, p, app); got.Subject != p.person.ID {
				t.Fatalf("the application reads %+v, want %s", got, p.person.ID)
			}
		}

		account := leaving.open(p.issuer + "/account")
		out := slices.IndexFunc(account.forms, func(f form) bool { return f.action.Path == "/signout" })
		if out < 0 {
			t.Fatalf("no way to sign out at %s:\n%s", account.at, account.text)
		}
		leaving.submit(account, account.forms[out], nil)
		began := time.Now()
		for !isOut(leaving, app) {
			if time.Since(began) > 15*time.Second { // the first try comes within a second or two, the next within five
				t.Fatalf("Apache still lets in who signed out %v ago", time.Since(began))
			}
			time.Sleep(50 * time.Millisecond)
		}
		t.Logf("Apache's session ended %v after the sign-out", time.Since(began).Round(time.Millisecond))
		if isOut(staying, app) {
			t.Error("the session of the other browser has ended with it")
		}
	})
}

// byForm opens the application, signs in, and presses the button of the form that has the answer.
func byForm(v *visitor, p *provider, app registration) signedIn {
	v.t.Helper()
	answer, _ := v.wayIn(v.open(app.URL+"/app/"), p.person)
	i := slices.IndexFunc(answer.forms, func(f form) bool { return f.action.String() == app.callback })
	if i < 0 || answer.forms[i].fields.Get("code") == "" {
		v.t.Fatalf("at %s there is no form with a code for the application:\n%s", answer.at, answer.text)
	}
	return v.submit(answer, answer.forms[i], nil).read(v.t)
}

// isOut says whether the application leads to the sign-in page, and fails where it does neither.
func isOut(v *visitor, app registration) bool {
	v.t.Helper()
	header, s := v.send(nil, v.parse(app.URL+"/app/"), "none", http.MethodGet, nil)
	if s.status != http.StatusOK && !strings.Contains(header.Get("Location"), "/oauth/authorize?") {
		v.t.Fatalf("the application answers %d, to %q:\n%s", s.status, header.Get("Location"), s.text)
	}
	return s.status != http.StatusOK
}
