package server

// Which language a person reads: what they have chosen in this browser, else what the app asks for that sent them here,
// so that a flow speaks one language from its first page to its last, else what their account has, else what the browser
// asks for.

import (
	"cmp"
	"net/http"
	"net/url"
	"strings"
	"time"

	"latchkey/internal/auth"
	"latchkey/internal/locale"
)

const (
	languageCookie = "latchkey-language"
	languageLife   = 365 * 24 * time.Hour
)

// language is the tag of the caller's language.
func (x *exchange) language() string {
	return locale.Choose(cmp.Or(x.s.cookies.get(x.r, languageCookie), locale.First(x.uiLocales), x.account.Language), x.r.Header.Get("Accept-Language"))
}

// chooseLanguage keeps a language in a cookie, and with the account of whoever is signed in.
func (s *server) chooseLanguage(x *exchange, values url.Values) (reply, error) {
	tag := values.Get("language")
	if !locale.Known(tag) {
		return nil, refuse(auth.CodeInvalidRequest)
	}
	err := x.recognise()
	if err == nil {
		err = s.auth.SetLanguage(x.r.Context(), *x.caller, tag)
	}
	if err != nil && auth.CodeOf(err) != auth.CodeInvalidToken { // that is nobody's, who may choose, too
		return nil, err
	}
	s.cookies.set(x, languageCookie, tag, languageLife, http.SameSiteLaxMode)
	return seeOther(s.ownPage(values.Get("back"))), nil
}

// ownPage is back where it is a page of ours, else the first: a redirect made of the caller's own words
// leads nowhere else.
func (s *server) ownPage(back string) string {
	u, err := url.Parse(back)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || u.Opaque != "" ||
		strings.ContainsAny(back, "\\\r\n\t") || !cleanPath(u) || !s.pages.exact[u.Path] {
		return "/"
	}
	return u.RequestURI()
}
