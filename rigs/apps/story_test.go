package apps

// What every library goes through, whatever its language, and what must come of it.

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// story is what a library tells of an application's life with one person. story.mjs tells it for the packages of npm.
type story struct {
	Pages    []string    `json:"pages"` // where the person had something to do, by path
	IDToken  claims      `json:"idToken"`
	UserInfo profile     `json:"userInfo"`
	Access   accessToken `json:"accessToken"`

	SameSuccessor bool       `json:"sameSuccessor"` // of a refresh token that was sent twice at once
	Renewed       claims     `json:"renewed"`       // of the ID token that came with it
	Superseded    superseded `json:"superseded"`
	StillIn       bool       `json:"stillIn"` // after that, with the newest refresh token

	Silent *fault `json:"silent"` // of a second sign-in with prompt=none; nil: it succeeded
	Again  again  `json:"again"`  // of one without

	SignedOut    string `json:"signedOut"` // where the browser ended up
	AfterSignOut *fault `json:"afterSignOut"`
}

// profile is what the scopes openid, profile and email tell of a person (OpenID Connect Core §5.1).
type profile struct {
	Subject    string `json:"sub"`
	Email      string `json:"email"`
	Verified   bool   `json:"email_verified"`
	Name       string `json:"name"`
	GivenName  string `json:"given_name"`
	FamilyName string `json:"family_name"`
}

// claims are those of an ID token that no library checks by itself.
type claims struct {
	profile
	Party    string   `json:"azp"`
	Session  string   `json:"sid"`
	AuthTime int64    `json:"auth_time"`
	ACR      string   `json:"acr"`
	AMR      []string `json:"amr"`
	Nonce    string   `json:"nonce"`
}

// accessToken is what a resource server reads in one (RFC 9068 §2.2).
type accessToken struct {
	Subject  string `json:"sub"`
	Audience string `json:"aud"`
	Client   string `json:"client_id"`
	Session  string `json:"sid"`
}

// superseded is what became of a refresh token that the application should have forgotten.
type superseded struct {
	Requests int    `json:"requests"` // that the library made
	Fault    *fault `json:"fault"`
}

// fault is what a library makes of a refusal: OAuth's word for it, empty where it knows none.
type fault struct {
	Error string `json:"error"`
}

// again is a second sign-in in the same browser.
type again struct {
	Pages   []string `json:"pages"`
	Subject string   `json:"sub"`
}

// holds compares a story with what must come of it.
func (p *provider) holds(t *testing.T, app registration, got story) {
	t.Helper()
	if got.IDToken.Session == "" || got.IDToken.AuthTime == 0 || got.IDToken.Nonce == "" {
		t.Errorf("the ID token lacks sid, auth_time or nonce: %+v", got.IDToken)
	}
	who := profile{p.person.ID, p.person.Email, true, firstName + " " + lastName, firstName, lastName}
	want := story{
		Pages:         []string{"/signin"},
		IDToken:       claims{who, app.Alias, got.IDToken.Session, got.IDToken.AuthTime, "aal1", []string{"pwd"}, got.IDToken.Nonce},
		UserInfo:      who,
		Access:        accessToken{who.Subject, p.issuer, app.Alias, got.IDToken.Session},
		SameSuccessor: true,
		Superseded:    superseded{Requests: 1, Fault: &fault{}}, // no library takes it for the end of the session, or tries again
		StillIn:       true,
		Again:         again{Subject: who.Subject}, // signed in once, signed in everywhere
		SignedOut:     app.SignedOut[0],
		AfterSignOut:  &fault{"invalid_grant"},
	}
	want.Renewed = want.IDToken
	want.Renewed.Nonce = "" // OpenID Connect Core §12.2
	if app.Secrets == nil { // any program could ask in its place: the person is asked each time (RFC 8252 §8.6)
		want.Silent, want.Again.Pages = &fault{"interaction_required"}, []string{"/continue"}
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(claims{})); diff != "" {
		t.Errorf("want and got:\n%s", diff)
	}
}

// tokenAnswers are the answers that a story takes from the token endpoint, by status: the exchange, two refreshes at
// once, another two, the superseded one, the exchange of each further sign-in, and the refresh after signing out.
func tokenAnswers(app registration) map[string]int {
	further := 2
	if app.Secrets == nil {
		further = 1
	}
	return map[string]int{"200": 5 + further, "400": 1, "503": 1}
}
