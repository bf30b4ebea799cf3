package auth_test

// The reference of the model test, on apps: what docs/adr/0011-apps-sign-in.md promises about browsers, codes, consents and
// the sessions that come from them.

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"latchkey/internal/auth"
)

const (
	refCodeLife = time.Minute
	refRepeat   = 10 * time.Second // a code that is shown again ends nothing for so long
	refFlowLife = time.Hour
	refAppLimit = 10        // sessions that one app may have from one page session
	refKept     = time.Hour // what has run out or is spent is kept for so long, and then at times
	refAppEnds  = 60 * 24 * time.Hour
)

// refApp is an app, as withApps registers it.
type refApp struct {
	alias, uri string
	asks       bool     // people must consent
	claimable  bool     // any local program could take its answers
	scopes     []string // what it asks for: one of them
}

var refApps = []*refApp{
	{alias: "shop", uri: shopURI, scopes: []string{"openid email profile", "openid", "email"}},
	{alias: "desk", uri: localURI, claimable: true, scopes: []string{"openid account", "openid"}},
	{alias: "third", uri: "https://third.example/cb", asks: true, scopes: []string{"openid offline_access", "openid", "openid email offline_access"}},
}

// refreshes says whether an app gets a refresh token: a third party asks for it.
func (a *refApp) refreshes(scope string) bool { return !a.asks || has(scope, "offline_access") }

func has(scope, one string) bool { return slices.Contains(strings.Fields(scope), one) }

// refFlow is an app's request on its way, and for which page sessions something was done about it.
type refFlow struct {
	app                          *refApp
	scope, prompt                string
	hint                         *heldID // nil: none
	at                           time.Time
	proved, continued, consented *refSession
	sealed                       string
}

type refCode struct {
	raw          string
	app          *refApp
	scope        string
	page         *refSession // that it belongs to now
	made, proved time.Time
	spent        time.Time   // zero: not spent
	session      *refSession // that it was spent for
	gone         bool        // dropped or forgotten
}

// browser is what a session is counted with: its page session, or itself.
func (s *refSession) browser() *refSession {
	if s.parent != nil {
		return s.parent
	}
	return s
}

// now is what a browser has in the place of a page session: that which has replaced it, if one has.
func (s *refSession) now() *refSession {
	if s.page != "" && s.parent != nil {
		return s.parent
	}
	return s
}

// finish ends a session, whatever it is. One that was marked as having run out stays what it is.
func (s *refSession) finish() { s.ended = s.ended || !s.marked }

func (r *reference) children(page *refSession) []*refSession {
	return slices.DeleteFunc(slices.Clone(r.sessions), func(s *refSession) bool { return s.parent != page || s.app == nil })
}

// leave is the end of a session together with what came from it, if it is a page's: alive or run out.
func (r *reference) leave(s *refSession) {
	s.finish()
	for _, child := range r.children(s) {
		child.finish()
	}
}

// endOwn is the end of a session by its user, from another session or from itself. An app whose session was ended from
// elsewhere signs nobody in again in that browser without a press, nor by a code that it has.
func (r *reference) endOwn(by, s *refSession) {
	over := s.ended
	r.leave(s)
	if over || s.app == nil || s.parent == nil || s == by {
		return
	}
	s.parent.over[s.app.alias] = r.now
	r.dropCodes(func(c *refCode) bool { return c.page == s.parent && c.app == s.app })
}

func (r *reference) dropCodes(which func(*refCode) bool) {
	for _, c := range r.codes {
		c.gone = c.gone || c.spent.IsZero() && which(c)
	}
}

// beginPage is a sign-in in a browser that has held another page session until now (nil: none). A new proof by the same
// user takes over what came from that; another user's signs the first out.
func (r *reference) beginPage(a *refAccount, id, token string, held *refSession) *refSession {
	if held != nil {
		held = held.now()
	}
	if held != nil && held.owner != a {
		r.leave(held)
	}
	s := &refSession{id: id, owner: a, page: token, created: r.now, proved: r.now, used: r.now, overall: r.now.Add(refOverall), current: 1, over: map[string]time.Time{}}
	if held != nil && held.owner == a && !held.ended {
		held.finish()
		r.takeOver(held, s)
	}
	r.sessions = append(r.sessions, s)
	r.evict(s)
	return s
}

func (r *reference) takeOver(from, to *refSession) {
	for _, s := range r.sessions {
		if s == from || s.parent == from {
			s.parent = to
		}
	}
	for _, c := range r.codes {
		if c.page == from && c.spent.IsZero() {
			c.page = to
		}
	}
	to.over, from.over = from.over, map[string]time.Time{}
}

// evict ends the least recently used browsers beyond the limit, each whole: never the one of the session just made.
func (r *reference) evict(made *refSession) {
	used := map[*refSession]time.Time{}
	for _, s := range r.of(made.owner) {
		if b := s.browser(); r.live(s) && b != made.browser() && s.used.After(used[b]) {
			used[b] = s.used
		}
	}
	browsers := slices.SortedFunc(maps.Keys(used), func(a, b *refSession) int { return cmp.Or(used[a].Compare(used[b]), cmp.Compare(a.id, b.id)) })
	for _, b := range browsers[:max(0, len(browsers)-refLimit+1)] {
		for _, s := range r.of(made.owner) {
			if s.browser() == b {
				s.finish()
			}
		}
	}
}

// need is what a person has to do before an app gets its code in a browser with a page session (nil: none).
func (r *reference) need(f *refFlow, page *refSession) auth.Need {
	if page == nil || !r.live(page) || f.prompt == "login" && f.proved != page {
		return auth.NeedSignIn
	}
	proved := f.proved == page
	pressed := proved || f.continued == page
	another := f.hint != nil && f.hint.session.owner != page.owner // the app means somebody who is not signed in
	switch {
	case !pressed && (f.app.claimable || f.prompt == "select_account" || f.prompt == "consent" && !f.app.asks):
		return auth.NeedContinue
	case !pressed && another && f.prompt == "none":
		return auth.NeedSignIn
	case !pressed && another:
		return auth.NeedContinue
	case f.app.asks && f.prompt == "consent" && f.consented != page:
		return auth.NeedConsent
	case !proved && !page.over[f.app.alias].IsZero():
		return auth.NeedContinue
	case !page.owner.allows(f.app, f.scope):
		return auth.NeedConsent
	}
	return auth.NeedNothing
}

// allows says whether an account's owner has consented to all of a scope, where that is asked.
func (a *refAccount) allows(app *refApp, scope string) bool {
	return !app.asks || !slices.ContainsFunc(strings.Fields(scope), func(one string) bool { return !has(a.allowed[app.alias], one) })
}

func (r *reference) grant(f *refFlow, page *refSession, raw string) *refCode {
	delete(page.over, f.app.alias)
	c := &refCode{raw: raw, app: f.app, scope: f.scope, page: page, made: r.now, proved: page.proved}
	r.codes = append(r.codes, c)
	return c
}

// goodCode says whether a code makes a session for the app that it was given to: once, for a minute, and only while all
// that it was made of is as it was.
func (r *reference) goodCode(c *refCode) bool {
	owner := c.page.owner
	return !c.gone && c.spent.IsZero() && r.now.Before(c.made.Add(refCodeLife)) && r.now.Before(c.proved.Add(refOverall)) &&
		r.live(c.page) && c.made.After(owner.changed) && owner.allows(c.app, c.scope)
}

// shownAgain is what else comes of a code that its own app shows, with the right verifier, when it was spent: after the ten
// seconds it tells of a copy, and the session that it made ends.
func (r *reference) shownAgain(c *refCode) {
	if !c.gone && !c.spent.IsZero() && r.now.Sub(c.spent) > refRepeat {
		c.session.finish()
	}
}

// spend makes the session of a good code: no longer than the proof behind it allows.
func (r *reference) spend(c *refCode, id string) *refSession {
	overall := c.proved.Add(refOverall)
	if c.page.overall.Before(overall) {
		overall = c.page.overall
	}
	s := &refSession{
		id: id, owner: c.page.owner, app: c.app, scope: c.scope, parent: c.page,
		created: r.now, proved: c.proved, used: r.now, overall: overall, current: 1, tokens: map[int64]string{},
	}
	c.spent, c.session = r.now, s
	r.sessions = append(r.sessions, s)
	siblings := slices.DeleteFunc(r.children(c.page), func(o *refSession) bool { return o == s || o.app != s.app || !r.live(o) })
	slices.SortFunc(siblings, func(a, b *refSession) int { return cmp.Or(a.used.Compare(b.used), cmp.Compare(a.id, b.id)) })
	for _, o := range siblings[:max(0, len(siblings)-refAppLimit+1)] {
		o.finish()
	}
	return s
}

// revokeConsent takes back what was allowed an app, with its sessions and its codes.
func (r *reference) revokeConsent(a *refAccount, app *refApp) {
	if a.allowed[app.alias] == "" {
		return
	}
	delete(a.allowed, app.alias)
	r.dropCodes(func(c *refCode) bool { return c.page.owner == a && c.app == app })
	for _, s := range r.of(a) {
		if s.app == app {
			s.finish()
		}
	}
}

// sweep is what upkeep does that can be seen: it marks what has run out, and forgets old codes and presses.
func (r *reference) sweep() {
	for _, s := range r.sessions {
		runsOut := s.used.Add(refIdle)
		if s.overall.Before(runsOut) {
			runsOut = s.overall
		}
		s.marked = s.marked || !s.ended && r.now.Sub(runsOut) > refKept
		maps.DeleteFunc(s.over, func(_ string, at time.Time) bool { return r.now.Sub(at) > refAppEnds })
	}
	for _, c := range r.codes {
		c.gone = c.gone || r.now.Sub(c.made.Add(refCodeLife)) > refKept
	}
	for _, l := range r.links {
		l.forgotten = l.forgotten || r.now.Sub(l.expires) > refKept
	}
}

// goesOn says whether a flow is fresh: for an hour, or as long as the link that it came with (nil: none).
func (r *reference) goesOn(f *refFlow, by *refLink) bool {
	return r.now.Before(f.at.Add(refFlowLife)) || by != nil && r.now.Before(by.expires)
}
