package auth_test

// The steps of the model test that are about apps: authorization requests, codes, consents, and browsers that are signed in
// again or out.

import (
	"net/url"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"

	"latchkey/internal/auth"
	"latchkey/internal/clients"
	"latchkey/internal/oidc"
	"latchkey/internal/peer"
)

// appSteps are what may happen with apps, each as often as it is listed.
func (m *machine) appSteps() []weighted {
	return []weighted{
		{6, m.appSignIn},
		{4, m.askStep},
		{3, m.askAgain},
		{4, m.exchangeStep},
		{3, m.showAgain},
		{1, m.renew},
		{5, m.proveAgain},
		{3, m.signOutPage},
		{3, m.leavePage},
		{3, m.endApp},
		{3, m.logoutStep},
		{3, m.revokeConsentStep},
		{2, m.changeOnPage},
		{2, m.astray},
	}
}

// heldID is an ID token.
type heldID struct {
	session *refSession
	raw     string
}

func (m *machine) client(app *refApp) clients.Client {
	c, _ := m.svc.ClientsNow().Lookup(app.alias)
	return c
}

// request is what an app asks for, as its developer's library puts it.
func (m *machine) request(t *rapid.T, f *refFlow) oidc.Request {
	query := url.Values{
		"response_type": {"code"}, "client_id": {f.app.alias}, "redirect_uri": {f.app.uri}, "scope": {f.scope}, "nonce": {"n"},
		"code_challenge": {oidc.ChallengeOf(verifier)}, "code_challenge_method": {"S256"},
	}
	if f.prompt != "" {
		query.Set("prompt", f.prompt)
	}
	if f.hint != nil {
		query.Set("id_token_hint", f.hint.raw)
	}
	request, err := oidc.Read(query, m.svc.ClientsNow())
	if err != nil {
		t.Fatalf("read the request of %s: %v", f.app.alias, err)
	}
	return request
}

func idOf(s *refSession) string {
	if s == nil {
		return ""
	}
	return s.id
}

// flowOf is a flow as pages carry it.
func (m *machine) flowOf(t *rapid.T, f *refFlow) oidc.Flow {
	return oidc.Flow{
		Query: m.request(t, f).Query(), At: f.at, Browser: "a browser",
		Proved: idOf(f.proved), Continued: idOf(f.continued), Consented: idOf(f.consented),
	}
}

// newFlow begins a flow, and seals it, as each page does anew.
func (m *machine) newFlow(t *rapid.T) *refFlow { return m.newFlowOf(t, oneOf(t, refApps, "app")) }

func (m *machine) newFlowOf(t *rapid.T, app *refApp) *refFlow {
	f := &refFlow{app: app, at: m.reference.now}
	f.scope = oneOf(t, f.app.scopes, "scope")
	f.prompt = oneOf(t, []string{"", "", "", "", "", "none", "login", "consent", "select_account"}, "prompt")
	if hints := m.youngIDs(); len(hints) > 0 && seldom(t, "a hint") {
		f.hint = some(t, hints, "hint")
	}
	m.flows = append(m.flows, f)
	m.seal(t, f)
	return f
}

// goesAlong is at times a flow that a mail is asked for in; nil: none.
func (m *machine) goesAlong(t *rapid.T) (*refFlow, *oidc.Flow) {
	if dice(t, 3, "in a flow") < 2 {
		return nil, nil
	}
	f := m.newFlow(t)
	flow := m.flowOf(t, f)
	return f, &flow
}

func (m *machine) seal(t *rapid.T, f *refFlow) {
	sealed, err := m.svc.SealFlow(m.flowOf(t, f))
	agree(t, "seal a flow", err, "")
	f.sealed = sealed
}

// youngIDs are the ID tokens of sessions that no sweep can have forgotten.
func (m *machine) youngIDs() []*heldID {
	return slices.DeleteFunc(slices.Clone(m.ids), func(h *heldID) bool { return m.old(h.session) })
}

// authorize asks for a code in a browser with a page session (nil: none), which counts as its use.
func (m *machine) authorize(t *rapid.T, f *refFlow, page *refSession) *refCode {
	if page != nil {
		m.visit(page)
	}
	want := m.need(f, page)
	a := m.authorized(t, f, page, want)
	if want != auth.NeedNothing {
		return nil
	}
	return m.grant(f, page, a.Code)
}

// authorized compares what a flow comes to with what the reference says that it needs.
func (m *machine) authorized(t *rapid.T, f *refFlow, page *refSession, want auth.Need) auth.Authorized {
	t.Helper()
	shown := ""
	if page != nil {
		shown = page.page
	}
	a, err := m.svc.Authorize(t.Context(), m.request(t, f), m.flowOf(t, f), shown, peer.Peer{})
	agree(t, "authorize "+f.app.alias, err, "")
	refusal := ""
	if f.prompt == "none" {
		refusal = map[auth.Need]string{auth.NeedSignIn: "login_required", auth.NeedContinue: "interaction_required", auth.NeedConsent: "consent_required"}[want]
	}
	if a.Need != want || a.Refusal != refusal || (a.Code != "") != (want == auth.NeedNothing) {
		t.Fatalf("%s for %q, prompt %q, in page session %q: the server says %+v, the reference needs %q", f.app.alias, f.scope, f.prompt, idOf(page), a, want)
	}
	return a
}

// satisfy does what a flow needs, as a person on our pages does, until it has its code; nil where that cannot be.
func (m *machine) satisfy(t *rapid.T, f *refFlow, page *refSession) *refCode {
	for range 4 {
		if c := m.authorize(t, f, page); c != nil {
			return c
		}
		if f.prompt == "none" {
			return nil
		}
		m.pass(time.Millisecond)
		switch m.need(f, page) {
		case auth.NeedSignIn:
			if page = m.signInHere(t, m.owner(t, page), page); page == nil {
				return nil
			}
			f.proved = page
		case auth.NeedContinue:
			agree(t, "press", m.svc.Press(t.Context(), m.pageCaller(t, page), m.client(f.app)), "")
			delete(page.over, f.app.alias)
			f.continued = page
		case auth.NeedConsent:
			agree(t, "consent", m.svc.Consent(t.Context(), m.pageCaller(t, page), m.request(t, f), peer.Peer{}), "")
			allowed := page.owner.allowed[f.app.alias]
			page.owner.allowed[f.app.alias] = allowed + " " + f.scope
			f.consented = page
		case auth.NeedNothing, auth.NeedSignUp: // the one has had its code, and no request here asks for the other
		}
		m.seal(t, f)
		m.pass(time.Millisecond)
	}
	t.Fatalf("%s, prompt %q, asks for ever more", f.app.alias, f.prompt)
	return nil
}

// owner is as a rule whoever has the page session, else anybody.
func (m *machine) owner(t *rapid.T, page *refSession) *refAccount {
	if page != nil && !seldom(t, "somebody else") {
		return m.accounts[page.owner.address]
	}
	return m.accounts[m.address(t)]
}

// pageCaller is who presses something on a page of a live session.
func (m *machine) pageCaller(t *rapid.T, page *refSession) auth.Caller {
	caller, err := m.svc.PageCaller(t.Context(), page.page)
	agree(t, "page of session "+page.id, err, "")
	m.visit(page)
	return caller
}

// signInHere signs somebody in on the page of a browser with a page session (nil: none); nil where they may not.
func (m *machine) signInHere(t *rapid.T, a *refAccount, held *refSession) *refSession {
	if a == nil || m.reference.signIn(a.address, a.password) != "" {
		return nil
	}
	in := auth.SignIn{Email: a.address, Password: auth.Password{Value: a.password}}
	if held != nil {
		in.Replaces = held.page
	}
	got, err := m.svc.SignInPage(t.Context(), in, peer.Peer{})
	agree(t, "sign in on a page to "+a.address, err, "")
	delete(m.wrong, "account "+a.address)
	return m.beginPage(a, got.Caller.SessionID, got.Token, held)
}

// browser draws a page session, as a rule one that lives.
func (m *machine) browser(t *rapid.T) *refSession {
	m.livePage(t) // so that there is one
	return m.mostlyAlive(t, slices.DeleteFunc(m.pages(), m.old))
}

// livePage draws a page session that lives. Where there is none, somebody signs in.
func (m *machine) livePage(t *rapid.T) *refSession {
	live := slices.DeleteFunc(m.pages(), func(s *refSession) bool { return !m.live(s) })
	if len(live) == 0 {
		return m.signInAnew(t)
	}
	return some(t, live, "live page session")
}

// signInAnew signs somebody who may in on a page of a browser that holds nothing.
func (m *machine) signInAnew(t *rapid.T) *refSession {
	page := m.signInHere(t, some(t, m.welcome(), "account"), nil)
	m.pass(time.Millisecond)
	return page
}

// welcome are the accounts whose owners may sign in.
func (m *machine) welcome() (list []*refAccount) {
	for _, address := range m.addresses {
		if a := m.accounts[address]; a != nil && m.reference.signIn(address, a.password) == "" {
			list = append(list, a)
		}
	}
	return list
}

// appSignIn is an app's whole sign-in.
func (m *machine) appSignIn(t *rapid.T) {
	if c := m.satisfy(t, m.newFlow(t), m.browser(t)); c != nil {
		m.pass(time.Duration(dice(t, 5, "s")) * time.Second)
		m.exchangeBy(t, c, c.app, verifier)
	}
}

// askStep begins a request, and leaves its code about where it gets one.
func (m *machine) askStep(t *rapid.T) {
	f := m.newFlow(t)
	if seldom(t, "in no browser of ours") {
		m.authorize(t, f, nil)
		return
	}
	m.authorize(t, f, m.browser(t))
}

// askAgain goes on with a request from before in a browser, and with what was pressed for it in that or in another.
func (m *machine) askAgain(t *rapid.T) {
	m.authorize(t, some(t, m.askable(), "flow"), m.browser(t))
}

// askable are the flows whose hint no key may have gone from under.
func (m *machine) askable() []*refFlow {
	return slices.DeleteFunc(slices.Clone(m.flows), func(f *refFlow) bool { return f.hint != nil && m.old(f.hint.session) })
}

func (m *machine) exchangeStep(t *rapid.T) {
	c := some(t, m.codes, "code")
	by, proof := c.app, verifier
	if seldom(t, "another app") {
		by = oneOf(t, refApps, "by")
	}
	if seldom(t, "another verifier") {
		proof = strings.ToUpper(verifier)
	}
	m.exchangeBy(t, c, by, proof)
}

// showAgain exchanges a code, and shows it once more: a client that tries twice, or a thief with a copy.
func (m *machine) showAgain(t *rapid.T) {
	c := some(t, m.codes, "code")
	m.exchangeBy(t, c, c.app, verifier)
	m.pass(oneOf(t, []time.Duration{0, time.Second, refRepeat - time.Microsecond, refRepeat, refRepeat + time.Microsecond, time.Minute}, "later"))
	by := c.app
	if seldom(t, "another app") {
		by = oneOf(t, refApps, "by")
	}
	m.exchangeBy(t, c, by, verifier)
}

func (m *machine) exchangeBy(t *rapid.T, c *refCode, by *refApp, proof string) {
	own := by == c.app && proof == verifier
	good := own && m.goodCode(c)
	tokens, err := m.exchangeOf(t, c.raw, by, proof)
	if !good {
		agree(t, "exchange a code of "+c.app.alias+" by "+by.alias, err, auth.CodeInvalidGrant)
		if own {
			m.shownAgain(c)
		}
		return
	}
	agree(t, "exchange a code of "+by.alias, err, "")
	m.keep(t, m.spend(c, tokens.SessionID), tokens)
}

func (m *machine) exchangeOf(t *rapid.T, raw string, by *refApp, proof string) (auth.Tokens, error) {
	return m.svc.Exchange(t.Context(), auth.CodeExchange{Client: m.client(by), Code: raw, RedirectURI: by.uri, Verifier: proof}, peer.Peer{})
}

// renew is a single-page app that asks again and again, more often than it may have sessions.
func (m *machine) renew(t *rapid.T) {
	page := m.livePage(t)
	f := &refFlow{app: refApps[0], scope: refApps[0].scopes[0], at: m.reference.now}
	for range refAppLimit + 1 {
		c := m.satisfy(t, f, page)
		m.exchangeBy(t, c, c.app, verifier)
		m.pass(time.Millisecond)
	}
}

// proveAgain signs somebody in where somebody is: the same user proves who they are anew, or another takes the browser.
func (m *machine) proveAgain(t *rapid.T) {
	held := m.browser(t)
	a := m.accounts[held.owner.address]
	if rapid.Bool().Draw(t, "anybody") {
		a = some(t, m.welcome(), "account")
	}
	if m.signInHere(t, a, held) == nil {
		panic(void("nobody may sign in there"))
	}
}

// signOutPage signs out of a browser, whatever its page session has come to.
func (m *machine) signOutPage(t *rapid.T) {
	page := m.browser(t)
	agree(t, "sign out of the pages", m.svc.SignOutPage(t.Context(), page.page, peer.Peer{}), "")
	m.leave(page.now())
}

// leavePage ends sessions from a page.
func (m *machine) leavePage(t *rapid.T) {
	page := m.livePage(t)
	caller := m.pageCaller(t, page)
	switch oneOf(t, []string{"others", "one", "app"}, "which") {
	case "others":
		agree(t, "sign the others out", m.svc.SignOut(t.Context(), caller, auth.SignOut{Others: true}, peer.Peer{}), "")
		for _, s := range m.of(page.owner) {
			if s.browser() != page {
				s.finish()
			}
		}
	case "one":
		s := some(t, m.young(), "session to end")
		m.agreeEnded(t, m.svc.EndSession(t.Context(), caller, s.id, peer.Peer{}), page, s)
	case "app":
		s := some(t, m.children(page), "app's session")
		m.agreeEnded(t, m.svc.EndSession(t.Context(), caller, s.id, peer.Peer{}), page, s)
	}
}

// endApp ends an app's session from its page while the app has another code, and the app asks again.
func (m *machine) endApp(t *rapid.T) {
	c := m.satisfy(t, m.newFlow(t), m.livePage(t))
	if c == nil {
		return
	}
	m.exchangeBy(t, c, c.app, verifier)
	m.pass(time.Millisecond)
	other := m.satisfy(t, m.newFlowOf(t, c.app), c.page)
	if other == nil {
		return
	}
	m.pass(time.Millisecond)
	page := other.page
	err := m.svc.EndSession(t.Context(), m.pageCaller(t, page), c.session.id, peer.Peer{})
	m.agreeEnded(t, err, page, c.session)
	m.pass(time.Millisecond)
	m.authorize(t, m.newFlowOf(t, c.app), page)
	m.exchangeBy(t, other, c.app, verifier)
}

// logoutStep is an app that sends a browser to sign out. Its hint counts in the browser alone that its session came from.
func (m *machine) logoutStep(t *rapid.T) {
	hint, page := some(t, m.youngIDs(), "hint"), m.browser(t)
	in := auth.LogoutRequest{Hint: hint.raw, PageToken: page.page}
	if seldom(t, "another app") {
		in.Client = oneOf(t, refApps, "by").alias
	}
	named := hint.session.app.alias
	want := auth.LogoutAnswer{Client: named}
	if in.Client != "" {
		want.Client = in.Client
	}
	want.Ended = want.Client == named && hint.session.parent == page
	want.Ask = !want.Ended
	got, err := m.svc.Logout(t.Context(), in, peer.Peer{})
	if agree(t, "log out", err, ""); got != want {
		t.Fatalf("log out of page session %s by a hint of session %s: the server says %+v, the reference %+v", page.id, hint.session.id, got, want)
	}
	if want.Ended {
		m.leave(page)
	}
}

// revokeConsentStep takes back what was allowed, or what was not.
func (m *machine) revokeConsentStep(t *rapid.T) {
	page, app := m.livePage(t), oneOf(t, refApps, "app")
	if !seldom(t, "any app") {
		app = refApps[2]
		if c := m.satisfy(t, m.newFlowOf(t, app), page); c != nil { // is under way
			page = c.page
		}
		m.pass(time.Millisecond)
	}
	agree(t, "revoke a consent", m.svc.RevokeConsent(t.Context(), m.pageCaller(t, page), app.alias, peer.Peer{}), "")
	m.revokeConsent(page.owner, app)
}

// changeOnPage changes a password on a page: its page session alone goes on, and no code of before is good.
func (m *machine) changeOnPage(t *rapid.T) {
	page, fresh := m.livePage(t), m.password(t)
	caller, a := m.pageCaller(t, page), page.owner
	if a.password == fresh {
		panic(void("it is the old one"))
	}
	_, err := m.svc.ChangePassword(t.Context(), &caller, auth.ChangePassword{
		Email: a.address, OldPassword: auth.Password{Value: a.password}, NewPassword: auth.Password{Value: fresh},
	}, peer.Peer{})
	agree(t, "change the password on a page", err, "")
	delete(m.wrong, "session "+page.id)
	m.setPassword(a, fresh, page.id)
}

// astray presents what there is where it does not belong, and not in rehearsal: the check after it sees what changed.
func (m *machine) astray(t *rapid.T) {
	for _, one := range m.everyKind(t) {
		for _, app := range refApps {
			if one.kind != "refresh" || one.session.app != app {
				_, err := m.refreshApp(t, app, one.raw)
				agree(t, one.kind+" token refreshed by "+app.alias, err, auth.CodeInvalidRefreshToken)
			}
			if one.kind != "refresh" && one.kind != "access" || one.session.app != nil && one.session.app != app {
				agree(t, one.kind+" token revoked by "+app.alias, m.svc.Revoke(t.Context(), app.alias, one.raw, peer.Peer{}), "")
			}
		}
		if one.kind != "refresh" || one.session.app != nil {
			_, err := m.svc.Refresh(t.Context(), one.raw, peer.Peer{})
			agree(t, one.kind+" token refreshed at /auth", err, auth.CodeInvalidRefreshToken)
		}
	}
}

func (m *machine) refreshApp(t *rapid.T, app *refApp, raw string) (auth.Tokens, error) {
	return m.svc.RefreshApp(t.Context(), auth.AppRefresh{Client: m.client(app), RefreshToken: raw}, peer.Peer{})
}

// refreshAt presents a refresh token where it belongs.
func (m *machine) refreshAt(t *rapid.T, s *refSession, raw string) (auth.Tokens, error) {
	if s.app != nil {
		return m.refreshApp(t, s.app, raw)
	}
	return m.svc.Refresh(t.Context(), raw, peer.Peer{})
}
