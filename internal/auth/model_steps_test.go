package auth_test

// The steps of the model test: each asks the reference what has to come, does it, and compares. Those
// about accounts and links are model_accounts_test.go, those about apps model_apps_test.go.

import (
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"

	"latchkey/internal/auth"
	"latchkey/internal/authtest"
	"latchkey/internal/peer"
	"latchkey/internal/token"
)

var passwords = []string{authtest.Password, "another fine passphrase", "a third, finer passphrase"}

const weakPassword = "password1"

// weighted is a step that is listed so often.
type weighted struct {
	weight int
	do     func(*rapid.T)
}

// steps are what may happen, each as often as it is listed.
func (m *machine) steps() (all []func(*rapid.T)) {
	for _, s := range append(m.appSteps(), []weighted{
		{1, func(*rapid.T) {}}, // what rapid shrinks to
		{4, m.signInStep},
		{2, func(t *rapid.T) { m.signInAnew(t) }},
		{3, m.visitStep},
		{2, m.signUpStep},
		{1, m.join},
		{4, func(t *rapid.T) { m.refreshStep(t, 0) }},
		{3, func(t *rapid.T) { m.refreshStep(t, 1) }},
		{2, func(t *rapid.T) { m.refreshStep(t, 2+int64(dice(t, 4, "turns before"))) }},
		{2, m.burst},
		{2, m.outOfStep},
		{1, m.forge},
		{1, m.ahead},
		{2, m.signOut},
		{1, m.revoke},
		{1, m.endByLink},
		{1, func(t *rapid.T) { m.forgot(t, m.address(t)) }},
		{1, func(t *rapid.T) { m.askToVerify(t, m.address(t)) }},
		{2, m.askAndDeliver},
		{3, m.deliverStep},
		{2, m.resetStep},
		{1, m.forgotAndReset},
		{2, m.verifyStep},
		{2, m.change},
		{4, m.operator},
		{1, m.suspend},
		{1, m.restart},
		{2, func(t *rapid.T) { m.pass(time.Duration(1+dice(t, 90, "s")) * time.Second) }},
		{2, func(t *rapid.T) { m.pass(time.Duration(1+dice(t, 90, "min")) * time.Minute) }},
		{1, func(t *rapid.T) { m.pass(time.Duration(1+dice(t, 16, "d")) * 24 * time.Hour) }},
		{4, m.upToALimit},
	}...) {
		for range s.weight {
			all = append(all, s.do)
		}
	}
	return all
}

// step does one that can be done.
func (m *machine) step(t *rapid.T, steps []func(*rapid.T)) {
	for range 10 {
		m.pass(time.Millisecond)
		if done(t, oneOf(t, steps, "step")) {
			return
		}
	}
}

// void is the panic of a step that cannot be done now.
type void string

func done(t *rapid.T, do func(*rapid.T)) (ok bool) {
	defer func() {
		if p := recover(); p != nil {
			if _, ok := p.(void); !ok {
				panic(p)
			}
		}
	}()
	do(t)
	return true
}

// dice draws evenly. rapid's own numbers lean to the small ones: good for bounds, bad for histories.
func dice(t *rapid.T, sides int, what string) int {
	return rapid.Custom(func(t *rapid.T) int {
		roll := 0
		for range 12 {
			roll *= 2
			if rapid.Bool().Draw(t, "bit") {
				roll++
			}
		}
		return roll * sides >> 12
	}).Draw(t, what)
}

func oneOf[T any](t *rapid.T, list []T, what string) T { return list[dice(t, len(list), what)] }

func (m *machine) address(t *rapid.T) string  { return oneOf(t, m.addresses, "address") }
func (m *machine) password(t *rapid.T) string { return oneOf(t, passwords, "password") }

// some draws one of a list, of the newest most often: what people have in their hands.
func some[T any](t *rapid.T, list []T, what string) T {
	if len(list) == 0 {
		panic(void("no " + what))
	}
	return list[len(list)-1-rapid.IntRange(0, len(list)-1).Draw(t, what+", so many before the newest")]
}

// alive draws a session that refreshes, as a rule one that lives.
func (m *machine) alive(t *rapid.T) *refSession { return m.mostlyAlive(t, m.refreshing()) }

func (m *machine) mostlyAlive(t *rapid.T, list []*refSession) *refSession {
	live := slices.DeleteFunc(slices.Clone(list), func(s *refSession) bool { return !m.live(s) })
	if len(live) == 0 || seldom(t, "a dead one") {
		return some(t, list, "session")
	}
	return some(t, live, "live session")
}

// refreshing are the sessions with refresh tokens: all but those of pages, and of third parties that asked for none.
func (m *machine) refreshing() []*refSession {
	return slices.DeleteFunc(slices.Clone(m.sessions), func(s *refSession) bool { return s.tokens[s.current] == "" })
}

func (m *machine) pages() []*refSession {
	return slices.DeleteFunc(slices.Clone(m.sessions), func(s *refSession) bool { return s.page == "" })
}

// seldom is true once in eight times.
func seldom(t *rapid.T, but string) bool { return dice(t, 8, but) == 7 }

// mayGuess counts a wrong password: the model stays below the throttle, which has tests of its own.
func (m *machine) mayGuess(t *rapid.T, key string) {
	if m.wrong[key] >= 5 {
		panic(void("the throttle would answer"))
	}
	m.wrong[key]++
}

func (m *machine) signInStep(t *rapid.T) {
	address := m.address(t)
	pw := m.password(t)
	if a := m.accounts[address]; a != nil && a.password != "" && !seldom(t, "any password") {
		pw = a.password
	}
	m.signInAs(t, address, pw)
}

func (m *machine) signInAs(t *rapid.T, address, pw string) {
	want := m.reference.signIn(address, pw)
	if want == auth.CodeInvalidCredentials {
		m.mayGuess(t, "account "+address)
	}
	tokens, err := m.svc.SignIn(t.Context(), auth.SignIn{Email: address, Password: auth.Password{Value: pw}}, peer.Peer{})
	agree(t, "sign in to "+address, err, want)
	if want == "" {
		delete(m.wrong, "account "+address)
		m.keep(t, m.begin(m.accounts[address], tokens.SessionID), tokens)
	}
}

func (m *machine) visitStep(t *rapid.T) {
	s := m.mostlyAlive(t, m.pages())
	m.checkPage(t, s)
	m.visit(s)
}

// keep remembers the tokens of a session that was signed in or refreshed.
func (m *machine) keep(t *rapid.T, s *refSession, tokens auth.Tokens) {
	if tokens.SessionID != s.id {
		t.Fatalf("tokens of session %s are %+v", s.id, tokens)
	}
	m.access = append(m.access, &heldAccess{s, tokens.AccessToken, wholeSecondsUp(m.reference.now.Add(tokens.ExpiresIn))})
	if s.app != nil {
		m.keepApp(t, s, tokens)
	}
	if tokens.RefreshToken == "" {
		return
	}
	old, again := s.tokens[s.current]
	if again && old != tokens.RefreshToken {
		t.Fatalf("session %s has two tokens of generation %d", s.id, s.current) // I2
	}
	r, err := m.options.Master.ParseRefresh(tokens.RefreshToken)
	if err != nil || r.SessionID != s.id || r.Generation != s.current {
		t.Fatalf("session %s at %d got %+v, %v", s.id, s.current, r, err)
	}
	s.tokens[s.current] = tokens.RefreshToken
}

// keepApp is keep for what only apps are given.
func (m *machine) keepApp(t *rapid.T, s *refSession, tokens auth.Tokens) {
	switch {
	case !sameWords(tokens.Scope, s.scope):
		t.Fatalf("session %s has the scope %q, asked for was %q", s.id, tokens.Scope, s.scope)
	case (tokens.IDToken != "") != has(s.scope, "openid"), (tokens.RefreshToken != "") != s.app.refreshes(s.scope):
		t.Fatalf("the tokens of session %s of %s for %q: %+v", s.id, s.app.alias, s.scope, tokens)
	case tokens.IDToken != "":
		m.ids = append(m.ids, &heldID{s, tokens.IDToken})
	}
}

func sameWords(a, b string) bool {
	return slices.Equal(slices.Sorted(slices.Values(strings.Fields(a))), slices.Sorted(slices.Values(strings.Fields(b))))
}

// wholeSecondsUp is the exp that expires_in promises no more than.
func wholeSecondsUp(t time.Time) time.Time {
	if whole := t.Truncate(time.Second); whole.Before(t) {
		return whole.Add(time.Second)
	}
	return t
}

func (m *machine) refreshStep(t *rapid.T, turnsAgo int64) {
	s := m.alive(t)
	if s.tokens[s.current-turnsAgo] == "" {
		panic(void("there is none so old"))
	}
	m.present(t, s, s.current-turnsAgo)
}

func (m *machine) present(t *rapid.T, s *refSession, g int64) {
	want := m.reference.refresh(s, g)
	tokens, err := m.refreshAt(t, s, s.tokens[g])
	m.agreeRefresh(t, s, g, want, tokens, err)
	if err == nil {
		m.keep(t, s, tokens)
	}
}

// burst is a client with tabs: some refreshes in a row.
func (m *machine) burst(t *rapid.T) {
	s := m.alive(t)
	for range 2 + dice(t, 4, "times") {
		m.pass(time.Duration(dice(t, 20, "s")) * time.Second)
		m.present(t, s, s.current)
	}
}

// outOfStep is a thief and an owner who take turns, each a while after the other.
func (m *machine) outOfStep(t *rapid.T) {
	s := m.alive(t)
	for range 1 + dice(t, 4, "turns") {
		m.present(t, s, s.current)
		m.pass(time.Duration(20+dice(t, 60, "s")) * time.Second)
		if s.tokens[s.current-1] != "" {
			m.present(t, s, s.current-1)
		}
	}
}

// forge presents what this server never made; nothing may come of it.
func (m *machine) forge(t *rapid.T) {
	s := some(t, m.refreshing(), "session")
	raw := s.tokens[s.current]
	parts := strings.Split(raw, ".")
	stranger, err := token.ParseMasterKeys(token.NewMasterKey())
	if err != nil {
		t.Fatal(err)
	}
	claims, err := m.options.Master.ParseRefresh(raw)
	if err != nil {
		t.Fatal(err)
	}
	claims.Generation++
	theirs := claims
	theirs.KeyID = stranger.Current()
	next, err := m.options.Master.SignRefresh(claims)
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := stranger.SignRefresh(theirs)
	if err != nil {
		t.Fatal(err)
	}
	nextParts := strings.Split(next, ".")
	for what, forged := range map[string]string{
		"another key's":        foreign,
		"the old MAC":          nextParts[0] + "." + nextParts[1] + "." + parts[2],
		"a new MAC":            parts[0] + "." + parts[1] + "." + nextParts[2],
		"no MAC":               parts[0] + "." + parts[1] + ".",
		"white space":          raw + "\n",
		"half of it":           raw[:len(raw)/2],
		"a foreign MAC":        parts[0] + "." + parts[1] + "." + strings.Split(foreign, ".")[2],
		"a session id of ours": s.id,
	} {
		_, err := m.refreshAt(t, s, forged)
		agree(t, "forged token, "+what, err, auth.CodeInvalidRefreshToken)
	}
}

// ahead presents a token of ours that is newer than the row, as after a restored backup.
func (m *machine) ahead(t *rapid.T) {
	s := m.alive(t)
	claims, err := m.options.Master.ParseRefresh(s.tokens[s.current])
	if err != nil {
		t.Fatal(err)
	}
	g := s.current + 1 + int64(dice(t, 3, "lost turns"))
	claims.Generation = g
	raw, err := m.options.Master.SignRefresh(claims)
	if err != nil {
		t.Fatal(err)
	}
	s.tokens[g] = raw
	m.present(t, s, g)
}

// bearer authenticates with one of the access tokens; the step is over when that is refused.
func (m *machine) bearer(t *rapid.T) (auth.Caller, *refSession) {
	good := slices.DeleteFunc(slices.Clone(m.access), func(a *heldAccess) bool { return m.opens(a) != "" })
	if len(good) == 0 || seldom(t, "a dead one") {
		good = m.access
	}
	a := some(t, good, "access token")
	caller, err := m.svc.Authenticate(t.Context(), a.raw)
	if want := m.opens(a); want != "" {
		agree(t, "a dead Bearer, or an app's", err, want)
		return auth.Caller{}, nil
	}
	agree(t, "a live Bearer", err, "")
	if caller.UserID != a.session.owner.id || caller.SessionID != a.session.id {
		t.Fatalf("the Bearer of session %s is taken for %+v", a.session.id, caller)
	}
	return caller, a.session
}

func (m *machine) accepts(a *heldAccess) bool {
	return m.live(a.session) && m.reference.now.Before(a.expires)
}

func (m *machine) signOut(t *rapid.T) {
	caller, own := m.bearer(t)
	if own == nil {
		return
	}
	switch oneOf(t, []string{"this", "others", "list", "one"}, "which") {
	case "this":
		agree(t, "sign out", m.svc.SignOut(t.Context(), caller, auth.SignOut{}, peer.Peer{}), "")
		m.endOwn(own, own)
	case "others":
		agree(t, "sign the others out", m.svc.SignOut(t.Context(), caller, auth.SignOut{Others: true}, peer.Peer{}), "")
		m.endOthers(own.owner, own.id)
	case "one":
		s := some(t, m.young(), "session to end")
		err := m.svc.EndSession(t.Context(), caller, s.id, peer.Peer{})
		m.agreeEnded(t, err, own, s)
	case "list":
		list := []*refSession{some(t, m.young(), "listed"), some(t, m.young(), "listed")}
		ids := []string{list[0].id, list[1].id}
		err := m.svc.SignOut(t.Context(), caller, auth.SignOut{Listed: true, Sessions: ids}, peer.Peer{})
		m.agreeEnded(t, err, own, list...)
	}
}

// young are the sessions that no sweep can have forgotten.
func (m *machine) young() []*refSession {
	return slices.DeleteFunc(slices.Clone(m.sessions), m.old)
}

func (m *machine) old(s *refSession) bool { return m.reference.now.Sub(s.created) > 29*24*time.Hour }

// agreeEnded: all of them are the caller's own and end, or nothing ends (I18).
func (m *machine) agreeEnded(t *rapid.T, err error, own *refSession, list ...*refSession) {
	for _, s := range list {
		if s.owner != own.owner {
			agree(t, "end a stranger's session", err, auth.CodeForbidden)
			return
		}
	}
	agree(t, "end own sessions", err, "")
	for _, s := range list {
		m.endOwn(own, s)
	}
}

func (m *machine) revoke(t *rapid.T) {
	s := some(t, m.refreshing(), "session")
	raw := s.tokens[s.current]
	if rapid.Bool().Draw(t, "by an older token") && s.tokens[1] != "" {
		raw = s.tokens[1]
	}
	by := oneOf(t, append(refApps, nil), "by")
	if !seldom(t, "by anybody") {
		by = s.app
	}
	alias := ""
	if by != nil {
		alias = by.alias
	}
	agree(t, "revoke", m.svc.Revoke(t.Context(), alias, raw, peer.Peer{}), "")
	if s.app == nil || s.app == by { // an app's own alone
		s.finish()
	}
}

func (m *machine) endByLink(t *rapid.T) {
	e := some(t, m.endings, "notice's link")
	resetAsked, err := m.svc.EndByLink(t.Context(), e.raw, peer.Peer{})
	if m.reference.now.Sub(e.made) > 7*24*time.Hour {
		agree(t, "an old notice's link", err, auth.CodeInvalidVerificationCode)
		return
	}
	agree(t, "a notice's link", err, "")
	moved := slices.ContainsFunc(m.moves, e.made.Equal)
	if a := m.byID(e.user); resetAsked != (a != nil && !a.disabled && !moved) {
		t.Fatalf("a notice's link, of a changed address: %t, asked for a reset mail: %t", moved, resetAsked)
	} else if resetAsked {
		m.ask("reset", a.address, time.Hour, nil)
	}
	for _, s := range slices.Clone(m.sessions) {
		if s.owner.id == e.user && (s.id == e.session || e.session == "" && !s.created.After(e.made)) {
			m.leave(s)
		}
	}
}

// restart starts the server anew, under either master key, and sweeps, which a running server does not
// do when its clock was set forward.
func (m *machine) restart(t *rapid.T) {
	masters := authtest.Master + "," + otherMaster
	if rapid.Bool().Draw(t, "the other master key") {
		masters = otherMaster + "," + authtest.Master
	}
	if m.options.Master != nil {
		m.budgets[m.options.Master.Current()] = m.asked
	}
	m.start(t, masters)
	if m.asked = m.budgets[m.options.Master.Current()]; m.asked == nil {
		m.asked = map[string][]time.Time{}
	}
	for more := true; more; {
		var err error
		if more, err = m.svc.Upkeep().Sweep(t.Context()); err != nil {
			t.Fatalf("sweep: %v", err)
		}
	}
	m.sweep()
}

// upToALimit lets time pass to the last microsecond of something that is good for a while, or to the
// first after it.
func (m *machine) upToALimit(t *rapid.T) {
	s := m.alive(t)
	now, before := s.bursts()
	limits := []time.Time{
		s.used.Add(refGrace), now.at.Add(refGrace), before.at.Add(2 * refGrace), s.used.Add(refIdle), s.overall,
		m.access[len(m.access)-1].expires,
	}
	for _, c := range m.codes[max(0, len(m.codes)-2):] {
		limits = append(limits, c.made.Add(refCodeLife), c.spent.Add(refRepeat), c.page.used.Add(refIdle), c.page.overall)
	}
	for _, l := range m.links[max(0, len(m.links)-2):] {
		limits = append(limits, l.expires)
	}
	limits = slices.DeleteFunc(limits, func(limit time.Time) bool { return !limit.After(m.reference.now) })
	if len(limits) == 0 {
		panic(void("no limit ahead"))
	}
	limit := oneOf(t, limits, "limit").Add(time.Duration(dice(t, 3, "µs")-1) * time.Microsecond)
	m.pass(max(0, limit.Sub(m.reference.now)))
}
