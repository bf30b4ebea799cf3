package auth_test

// What the server gave out in a life of the model test: what each is good for, and all of it where it does not belong.

import (
	"maps"
	"slices"
	"strings"

	"pgregory.net/rapid"

	"latchkey/internal/auth"
	"latchkey/internal/clients"
	"latchkey/internal/peer"
)

// given is something that the server gave out, and whose it is where that matters.
type given struct {
	kind, raw, address string
	session            *refSession
}

// allHeld is everything that was ever given out, of refresh tokens each session's newest.
func (m *machine) allHeld() (all []given) {
	for _, a := range m.access {
		all = append(all, given{kind: "access", raw: a.raw, session: a.session})
	}
	for _, s := range m.sessions {
		if s.page != "" {
			all = append(all, given{kind: "page", raw: s.page, session: s})
		} else if raw := s.tokens[s.current]; raw != "" {
			all = append(all, given{kind: "refresh", raw: raw, session: s})
		}
	}
	for _, h := range m.ids {
		all = append(all, given{kind: "id", raw: h.raw, session: h.session})
	}
	for _, c := range m.codes {
		all = append(all, given{kind: "code", raw: c.raw})
	}
	for _, f := range m.flows {
		all = append(all, given{kind: "flow", raw: f.sealed})
	}
	for _, l := range m.links {
		all = append(all, given{kind: l.kind, raw: l.token, address: l.address})
		if l.handle != "" {
			all = append(all, given{kind: "handle", raw: l.handle})
		}
	}
	for _, e := range m.endings {
		all = append(all, given{kind: "ending", raw: e.raw})
	}
	return all
}

// everyKind is one of each kind that there is.
func (m *machine) everyKind(t *rapid.T) (some []given) {
	kinds := map[string][]given{}
	for _, one := range m.allHeld() {
		kinds[one.kind] = append(kinds[one.kind], one)
	}
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		some = append(some, oneOf(t, kinds[kind], kind))
	}
	return some
}

// opens is what an access token is answered under /auth: an app's opens nothing there without the scope account.
func (m *machine) opens(a *heldAccess) auth.Code {
	switch {
	case !m.accepts(a):
		return auth.CodeInvalidToken
	case a.session.app != nil && !has(a.session.scope, "account"):
		return auth.CodeInsufficientScope
	}
	return ""
}

// tells is what it is answered at userinfo.
func (m *machine) tells(a *heldAccess) auth.Code {
	switch {
	case !m.accepts(a):
		return auth.CodeInvalidToken
	case a.session.app != nil && !has(a.session.scope, "openid"):
		return auth.CodeInsufficientScope
	}
	return ""
}

// checkFlow opens one of the flows, and takes it to one of the browsers.
func (m *machine) checkFlow(t *rapid.T) {
	flows, pages := m.askable(), m.pages()
	if len(flows) == 0 || len(pages) == 0 {
		return
	}
	f, page := flows[m.checks%len(flows)], pages[m.checks%len(pages)]
	got, fresh, err := m.svc.OpenFlow(t.Context(), f.sealed)
	agree(t, "open a flow", err, "")
	if want := m.flowOf(t, f); got != want || fresh != m.goesOn(f, nil) {
		t.Fatalf("a flow of %v is opened at %v: %+v, fresh: %t; sealed was %+v", f.at, m.reference.now, got, fresh, want)
	}
	m.authorized(t, f, page, m.need(f, page))
}

// checkHandle opens the flow that a mailed link leads back to.
func (m *machine) checkHandle(t *rapid.T, l *refLink) {
	_, fresh, err := m.svc.OpenFlow(t.Context(), l.handle)
	if l.forgotten {
		agree(t, "a forgotten flow", err, auth.CodeInvalidRequest)
		return
	}
	if agree(t, "the flow of a link", err, ""); fresh != m.goesOn(l.flow, l) {
		t.Fatalf("the flow of %v of a %s link that is good until %v is fresh at %v: %t", l.flow.at, l.kind, l.expires, m.reference.now, fresh)
	}
}

// checkConfusion offers one token as everything it is not, and to the other accounts and apps (I7, I18).
func (m *machine) checkConfusion(t *rapid.T) {
	all := m.allHeld()
	one := all[m.checks%len(all)]
	if one.kind != "access" {
		_, err := m.svc.Authenticate(t.Context(), one.raw)
		agree(t, one.kind+" token as a Bearer", err, auth.CodeInvalidToken)
		_, err = m.svc.AuthenticateForClaims(t.Context(), one.raw)
		agree(t, one.kind+" token as a Bearer at userinfo", err, auth.CodeInvalidToken)
	}
	if one.kind != "page" {
		_, err := m.svc.PageCaller(t.Context(), one.raw)
		agree(t, one.kind+" token as a page's", err, auth.CodeInvalidToken)
	}
	if one.kind != "refresh" && one.kind != "access" {
		got, err := m.svc.Introspect(t.Context(), clients.Client{}, one.raw, peer.Peer{})
		if agree(t, "introspect a "+one.kind+" token", err, ""); got.Active {
			t.Fatalf("a %s token is active: %+v", one.kind, got)
		}
	}
	if one.kind != "refresh" || one.session.app != nil {
		_, err := m.svc.Refresh(t.Context(), one.raw, peer.Peer{})
		agree(t, one.kind+" token to refresh", err, auth.CodeInvalidRefreshToken)
	}
	m.checkApps(t, one)
	if one.kind != "ending" {
		_, err := m.svc.EndByLink(t.Context(), one.raw, peer.Peer{})
		agree(t, one.kind+" token to end sessions", err, auth.CodeInvalidVerificationCode)
	}
	address := m.addresses[m.checks%len(m.addresses)]
	if one.kind != "reset" || one.address != address {
		_, err := m.reset(t, address, one.raw, passwords[1])
		agree(t, one.kind+" token to reset "+address, err, auth.CodeInvalidResetToken)
	}
	if one.kind != "verify" || one.address != address {
		err := m.svc.VerifyEmail(t.Context(), address, one.raw, peer.Peer{})
		agree(t, one.kind+" token to verify "+address, err, auth.CodeInvalidVerificationCode)
	}
}

// checkApps offers something as what only apps have.
func (m *machine) checkApps(t *rapid.T, one given) {
	for _, app := range refApps {
		if one.kind != "refresh" || one.session.app != app {
			_, err := m.refreshApp(t, app, one.raw)
			agree(t, one.kind+" token to refresh by "+app.alias, err, auth.CodeInvalidRefreshToken)
		}
		proof := verifier
		if one.kind == "code" { // of the right app, which every app is tried as
			proof = strings.ToUpper(verifier)
		}
		_, err := m.exchangeOf(t, one.raw, app, proof)
		agree(t, one.kind+" as a code, by "+app.alias, err, auth.CodeInvalidGrant)
	}
	if one.kind != "flow" && one.kind != "handle" {
		_, _, err := m.svc.OpenFlow(t.Context(), one.raw)
		agree(t, one.kind+" token as a flow", err, auth.CodeInvalidRequest)
	}
	if pages := m.pages(); one.kind != "id" && len(pages) > 0 {
		got, err := m.svc.Logout(t.Context(), auth.LogoutRequest{Hint: one.raw, PageToken: pages[m.checks%len(pages)].page}, peer.Peer{})
		if agree(t, one.kind+" token as a hint", err, ""); got != (auth.LogoutAnswer{Ask: true}) {
			t.Fatalf("a %s token as a hint: %+v", one.kind, got)
		}
	}
}
