package server

// A person's own sessions, on a page: to see and to end. And the link in a notice: "that was not me".

import (
	"net/url"
	"slices"

	"latchkey/internal/auth"
	"latchkey/internal/locale"
	"latchkey/internal/pages"
)

// notes are what the account page can be told to say.
var notes = []string{"ended", "others_ended", "password_changed", "consent_revoked", "signed_up"}

func (s *server) accountPage(x *exchange, query url.Values) (reply, error) {
	v, err := x.ownView("account")
	if err != nil {
		return nil, err
	}
	if note := query.Get("note"); slices.Contains(notes, note) {
		v.Note = &pages.Said{Key: "account.note." + note}
	}
	allowed, err := s.auth.Consents(x.r.Context(), *x.caller)
	if err != nil {
		return nil, err
	}
	v.Data = pages.Account{
		Sessions: x.shownBrowsers(x.account.Sessions), Allowed: x.shownAllowed(allowed), Ended: x.shownSessions(x.account.Ended),
	}
	return drawn(v), nil
}

// ownView begins a page for whoever is signed in.
func (x *exchange) ownView(name string) (v *pages.View, err error) {
	if x.account, err = x.s.auth.Account(x.r.Context(), *x.caller); err != nil {
		return nil, err
	}
	return x.view(name, url.Values{"email": {x.account.Email}}), nil
}

// shownBrowsers are live sessions as people see them: a page session with its apps is one.
func (x *exchange) shownBrowsers(list []auth.Session) (shown []pages.Session) {
	for _, browser := range auth.Browsers(list) {
		s := x.shownSession(browser[0])
		for _, app := range browser[1:] {
			s.Apps = append(s.Apps, pages.App{ID: app.ID, Name: x.appName(app.Client), LastSeen: app.LastUsedAt})
		}
		shown = append(shown, s)
	}
	return shown
}

func (x *exchange) shownSessions(list []auth.Session) []pages.Session {
	shown := make([]pages.Session, 0, len(list))
	for _, s := range list {
		shown = append(shown, x.shownSession(s))
	}
	return shown
}

func (x *exchange) shownAllowed(list []auth.Consented) []pages.Allowed {
	shown := make([]pages.Allowed, 0, len(list))
	for _, c := range list {
		shown = append(shown, pages.Allowed{Client: c.Client, Name: x.appName(c.Client), Scopes: c.Scopes, GrantedAt: c.GrantedAt})
	}
	return shown
}

// appName is what people know an app by.
func (x *exchange) appName(alias string) string {
	if client, ok := x.looks.clients.Lookup(alias); ok {
		return client.Brand.Name
	}
	return alias
}

func (s *server) accountRevokeConsent(x *exchange, values url.Values) (reply, error) {
	if err := s.auth.RevokeConsent(x.r.Context(), *x.caller, values.Get("clientAlias"), x.peer); err != nil {
		return nil, err
	}
	return seeOther("/account?note=consent_revoked"), nil
}

func (x *exchange) shownSession(s auth.Session) pages.Session {
	app := ""
	if s.Via == "oauth" {
		app = x.appName(s.Client)
	}
	return pages.Session{
		App: app, ID: s.ID, Browser: locale.Plain(s.Device.Browser + " " + s.Device.BrowserVersion), OS: locale.Plain(s.Device.OS),
		Kind: s.Device.DeviceType, Addr: s.Device.Addr, FirstSeen: s.CreatedAt, LastSeen: s.LastUsedAt,
		EndedAt: s.EndedAt, Reason: s.EndReason, Current: s.Current,
	}
}

func (s *server) accountEndSession(x *exchange, values url.Values) (reply, error) {
	if err := s.auth.EndSession(x.r.Context(), *x.caller, values.Get("sessionId"), x.peer); err != nil {
		return nil, err
	}
	return seeOther("/account?note=ended"), nil
}

func (s *server) accountEndOthers(x *exchange, _ url.Values) (reply, error) {
	if err := s.auth.SignOut(x.r.Context(), *x.caller, auth.SignOut{Others: true}, x.peer); err != nil {
		return nil, err
	}
	return seeOther("/account?note=others_ended"), nil
}

func (s *server) endSessionPage(x *exchange, query url.Values) (reply, error) {
	return drawn(x.view("end_session", query)), nil
}

// endSessionPagePost ends what the notice told of and, but for an address that is no longer the account's,
// has a reset link mailed.
func (s *server) endSessionPagePost(x *exchange, values url.Values) (reply, error) {
	resetAsked, err := s.auth.EndByLink(x.r.Context(), values.Get("token"), x.peer)
	if err != nil {
		return nil, err
	}
	if resetAsked {
		return seeOther("/check-mail?for=end_session"), nil
	}
	return seeOther("/done?what=session_ended"), nil
}
