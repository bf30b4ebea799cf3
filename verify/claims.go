package verify

// What a token says, and what a caller may ask of it.

import (
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
)

// Claims is what an access token says. What it does not say is empty.
//
// A token without SessionID is a client's own (client_credentials): its Subject is the ClientID, and no person's. Email may
// change, and another person may have it later: know people by Subject.
type Claims struct {
	Subject, SessionID, ClientID       string
	Scope                              string // space-delimited
	ACR                                string // how sure the sign-in was (OpenID Connect Core §2)
	AMR                                []string
	Email, Name, GivenName, FamilyName string
	EmailVerified                      bool
	AuthTime                           time.Time // of the sign-in
	IssuedAt, ExpiresAt                time.Time
	All                                map[string]any // the whole payload, as encoding/json reads it
}

// Require is what a token must say beyond being good. The zero Require asks for nothing more.
type Require struct {
	Scope  string        // space-delimited: all of them
	ACR    string        // space-delimited: one of them
	MaxAge time.Duration // since the person signed in; 0: any. A client's own token has no such time, and is refused
}

// leeway is for clocks that differ (RFC 7519 §4.1.5). A token that has run out is given none: apps renew theirs before.
const leeway = time.Minute

// read returns what a payload says, if it is of an access token of this issuer for this audience, and of now (RFC 9068
// §2.2, §4).
func (v *Verifier) read(payload []byte) (Claims, *Error) {
	said := fields{}
	if json.Unmarshal(payload, &said.all) != nil { // a member that comes twice, too
		return Claims{}, invalidToken("The token is not readable.")
	}
	issuer, audience := said.text("iss"), said.text("aud")
	begins := said.time("nbf")
	c := Claims{
		Subject: said.text("sub"), SessionID: said.text("sid"), ClientID: said.text("client_id"),
		Scope: said.text("scope"), ACR: said.text("acr"), AMR: said.texts("amr"),
		Email: said.text("email"), EmailVerified: said.truth("email_verified"),
		Name: said.text("name"), GivenName: said.text("given_name"), FamilyName: said.text("family_name"),
		AuthTime: said.time("auth_time"), IssuedAt: said.time("iat"), ExpiresAt: said.time("exp"),
		All: said.all,
	}
	now := v.now()
	switch {
	case said.wrong, c.Subject == "", c.ClientID == "", said.text("jti") == "", c.IssuedAt.IsZero(), c.ExpiresAt.IsZero():
		return Claims{}, invalidToken("The token lacks what an access token says.")
	case issuer != v.issuer:
		return Claims{}, invalidToken("The token is another issuer's.")
	case audience != v.audience:
		return Claims{}, invalidToken("The token is for another audience.")
	case !now.Before(c.ExpiresAt):
		return Claims{}, invalidToken("The token has expired.")
	case now.Add(leeway).Before(c.IssuedAt), now.Add(leeway).Before(begins):
		return Claims{}, invalidToken("The token is not valid yet.")
	}
	return c, nil
}

// refuses says what a good token lacks.
func (r Require) refuses(c Claims, now time.Time) *Error {
	has := strings.Fields(c.Scope)
	for _, scope := range strings.Fields(r.Scope) {
		if !slices.Contains(has, scope) {
			return insufficientScope(r)
		}
	}
	if r.ACR != "" && !slices.Contains(strings.Fields(r.ACR), c.ACR) {
		return insufficientAuthentication(r, "The sign-in is not of the kind that is asked for.")
	}
	if r.MaxAge > 0 && (c.AuthTime.IsZero() || now.Sub(c.AuthTime) > r.MaxAge) {
		return insufficientAuthentication(r, "The sign-in is too long ago.")
	}
	return nil
}

// fields are a payload's members, and whether one that was read had another type than it must have.
type fields struct {
	all   map[string]any
	wrong bool
}

// member returns a member that has its type, else the zero value.
func member[T any](f *fields, name string) (value T) {
	if said, ok := f.all[name]; ok {
		if value, ok = said.(T); !ok {
			f.wrong = true
		}
	}
	return value
}

func (f *fields) text(name string) string { return member[string](f, name) }
func (f *fields) truth(name string) bool  { return member[bool](f, name) }

func (f *fields) texts(name string) (texts []string) {
	for _, said := range member[[]any](f, name) {
		text, ok := said.(string)
		f.wrong = f.wrong || !ok
		texts = append(texts, text)
	}
	return texts
}

const latest = 1 << 53 // seconds: what a number of JSON holds exactly

// time reads a NumericDate (RFC 7519 §2). None is the zero time.
func (f *fields) time(name string) time.Time {
	seconds := member[float64](f, name)
	if seconds < 0 || seconds > latest {
		f.wrong = true
	}
	if f.wrong || seconds == 0 {
		return time.Time{}
	}
	whole := int64(seconds)
	return time.Unix(whole, int64((seconds-float64(whole))*1e9))
}
