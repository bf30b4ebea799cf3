package auth_test

// The reference of the model test: what the specification promises about accounts, sessions and links,
// as plainly as it can be said, and nothing of how the server keeps it. Sessions remember their whole
// history instead of the few columns a server can afford.

import (
	"slices"
	"time"

	"latchkey/internal/auth"
)

const (
	refIdle    = 14 * 24 * time.Hour
	refOverall = 30 * 24 * time.Hour
	refGrace   = 30 * time.Second
	refLimit   = 3 // browsers a user, few, so that some are evicted
)

type reference struct {
	now      time.Time
	accounts map[string]*refAccount // by address
	sessions []*refSession
	codes    []*refCode
	links    []*refLink
	waiting  []refRequest           // asked for and not yet delivered
	asked    map[string][]time.Time // by kind and address
}

type refAccount struct {
	id, address, password string // no password: ""
	verified, disabled    bool
	changed               time.Time         // the last password, email or disable change
	allowed               map[string]string // scopes, by app that people must consent to
}

type refSession struct {
	id                    string
	owner                 *refAccount
	created, proved, used time.Time
	overall               time.Time
	current               int64 // generation
	turns                 []refTurn
	ended                 bool                 // by somebody
	marked                bool                 // by upkeep, as having run out
	tokens                map[int64]string     // by generation
	page                  string               // the token of one that was signed in on a page; it has no others
	app                   *refApp              // that it is a session of; nil: none
	scope                 string               // of an app's
	parent                *refSession          // the page session that it came from, or that took its place; nil: none
	over                  map[string]time.Time // of a page's: apps whose session its user ended, and when
}

// refTurn is a rotation: by a token of which generation, when, and whether that token came back late.
type refTurn struct {
	from int64
	at   time.Time
	late bool
}

type refRequest struct {
	kind, address string
	at, expires   time.Time
	flow          *refFlow // that goes on there; nil: none
}

type refLink struct {
	refRequest
	token      string
	handle     string // of its flow
	used, dead bool   // dead: replaced or dropped
	forgotten  bool   // its flow
}

// live is I1 and I16: not ended, and neither limit reached.
func (r *reference) live(s *refSession) bool {
	return !s.ended && r.now.Before(s.used.Add(refIdle)) && r.now.Before(s.overall)
}

// judge is docs/adr/0003-refresh-tokens.md, rule by rule; the numbers are its own.
func (r *reference) judge(s *refSession, g int64) string {
	late := func(turnsAgo int) bool { i := len(s.turns) - 1 - turnsAgo; return i >= 0 && s.turns[i].late }
	now, before := s.bursts()
	switch {
	case !r.live(s):
		return "dead" // 1
	case g == s.current:
		return "rotated" // 2
	case g == s.current-1 && (r.now.Sub(s.used) <= refGrace || late(0)):
		return "repeated" // 3
	case g == s.current-1 && late(1) && late(2):
		return "reuse" // 4: the third in a row
	case g == s.current-1:
		return "late" // 4
	case g > s.current:
		return "ahead" // 6
	case now.from <= g && r.now.Sub(now.at) <= refGrace, before.from <= g && g < now.from && r.now.Sub(before.at) <= 2*refGrace:
		return "superseded" // 5
	}
	return "reuse" // 7
}

// bursts are the last two runs of rotations that began within one window.
func (s *refSession) bursts() (now, before refTurn) {
	now, before = refTurn{from: 1}, refTurn{from: 1}
	for _, t := range s.turns {
		if t.at.Sub(now.at) > refGrace {
			before, now = now, t
		}
	}
	return now, before
}

func (r *reference) refresh(s *refSession, g int64) string {
	outcome := r.judge(s, g)
	switch outcome {
	case "rotated", "ahead":
		s.turns = append(s.turns, refTurn{from: g, at: r.now})
		s.current, s.used = g+1, r.now
	case "late":
		s.turns[len(s.turns)-1].late = true
	case "reuse":
		s.finish() // I3
	}
	return outcome
}

// visit is the use of a session by its page, noted once in five minutes.
func (r *reference) visit(s *refSession) {
	if r.live(s) && r.now.Sub(s.used) > 5*time.Minute {
		s.current, s.used = s.current+1, r.now
	}
}

func (r *reference) signIn(address, password string) auth.Code {
	a := r.accounts[address]
	switch {
	case a == nil || a.password == "" || a.password != password || a.disabled:
		return auth.CodeInvalidCredentials
	case !a.verified:
		return auth.CodeEmailNotVerified // I17
	}
	return ""
}

func (r *reference) byID(id string) *refAccount {
	for _, a := range r.accounts {
		if a.id == id {
			return a
		}
	}
	return nil
}

// begin adds a session of the API, a browser of its own.
func (r *reference) begin(a *refAccount, id string) *refSession {
	s := &refSession{id: id, owner: a, created: r.now, proved: r.now, used: r.now, overall: r.now.Add(refOverall), current: 1, tokens: map[int64]string{}}
	r.sessions = append(r.sessions, s)
	r.evict(s)
	return s
}

func (r *reference) of(a *refAccount) []*refSession {
	return slices.DeleteFunc(slices.Clone(r.sessions), func(s *refSession) bool { return s.owner != a })
}

// end ends a user's sessions but one, and the mailed links of the address: I1, I5.
func (r *reference) end(a *refAccount, keep string) {
	r.endOthers(a, keep)
	r.drop(a.address)
}

// endOthers ends a user's sessions but one, which is a browser of its own from then on.
func (r *reference) endOthers(a *refAccount, keep string) {
	for _, s := range r.of(a) {
		if s.id == keep {
			s.parent = nil
			continue
		}
		s.finish()
	}
}

func (r *reference) drop(address string) {
	r.dropLink("reset", address)
	r.dropLink("verify", address)
}

func (r *reference) dropLink(kind, address string) {
	for _, l := range r.links {
		l.dead = l.dead || l.kind == kind && l.address == address
	}
	delete(r.asked, kind+" "+address)
}

func (r *reference) setPassword(a *refAccount, password, keep string) {
	a.password, a.changed = password, r.now
	r.end(a, keep)
}

// ask is a request for a mail: one a minute and five an hour, for each kind and address.
func (r *reference) ask(kind, address string, good time.Duration, flow *refFlow) {
	key := kind + " " + address
	at := r.asked[key]
	if n := len(at); n > 0 && r.now.Sub(at[n-1]) < time.Minute || n >= 5 && r.now.Sub(at[n-5]) < time.Hour {
		return
	}
	r.asked[key] = append(at, r.now)
	r.waiting = append(r.waiting, refRequest{kind, address, r.now, r.now.Add(good), flow})
}

// deliver says which of the requests that wait end as a mailed link; those mailed before stay as they are (I4).
func (r *reference) deliver() (mailed []*refLink) {
	for _, q := range r.waiting {
		a := r.accounts[q.address]
		switch {
		case !r.now.Before(q.expires), a == nil && q.kind == "reset", a != nil && (a.disabled || !q.at.After(a.changed)),
			a != nil && q.kind == "verify" && a.verified && a.password != "":
			continue
		}
		mailed = append(mailed, &refLink{refRequest: q})
		r.links = append(r.links, mailed[len(mailed)-1])
	}
	r.waiting = nil
	return mailed
}

// good says whether a link proves its address's mailbox. A reset link also needs an account that has not changed
// since, once.
func (r *reference) good(l *refLink) bool {
	a := r.accounts[l.address]
	return !l.dead && r.now.Before(l.expires) && (l.kind == "verify" || !l.used && a != nil && !a.disabled && l.at.After(a.changed))
}

func (r *reference) signUp(l *refLink, password string) auth.Code {
	a := r.accounts[l.address]
	switch {
	case l.kind != "verify" || !r.good(l):
		return auth.CodeEmailNotVerified
	case l.used || a != nil && a.password != "":
		if a != nil {
			a.verified = true // a whole fact, whatever is refused (I10)
		}
		return auth.CodeAlreadyRegistered
	case a != nil && !l.at.After(a.changed):
		return auth.CodeEmailNotVerified
	case a == nil:
		a = &refAccount{address: l.address, allowed: map[string]string{}}
		r.accounts[l.address] = a
	}
	a.password, a.verified, a.changed = password, true, r.now
	for _, other := range r.links {
		other.used = other.used || other.kind == "verify" && other.address == l.address
	}
	delete(r.asked, "verify "+l.address)
	r.dropLink("reset", l.address)
	return ""
}
