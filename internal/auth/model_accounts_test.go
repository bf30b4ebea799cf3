package auth_test

// The steps of the model test that are about accounts and mailed links.

import (
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"pgregory.net/rapid"

	"latchkey/internal/auth"
	"latchkey/internal/peer"
)

func (m *machine) forgot(t *rapid.T, address string) {
	f, flow := m.goesAlong(t)
	_, err := m.svc.ForgotPassword(t.Context(), auth.ForgotPassword{Email: address, Flow: flow}, peer.Peer{})
	agree(t, "forgot", err, "")
	m.ask("reset", address, time.Hour, f)
}

func (m *machine) askToVerify(t *rapid.T, address string) {
	f, flow := m.goesAlong(t)
	err := m.svc.RequestVerification(t.Context(), auth.VerificationMail{Email: address, Flow: flow}, peer.Peer{})
	agree(t, "ask to verify", err, "")
	m.ask("verify", address, 24*time.Hour, f)
}

// askAndDeliver asks for one or two mails for an address, the second beside the first.
func (m *machine) askAndDeliver(t *rapid.T) {
	address := m.address(t)
	ask := oneOf(t, []func(*rapid.T, string){m.forgot, m.askToVerify}, "what")
	for range 1 + dice(t, 2, "once more") {
		m.pass(time.Minute)
		ask(t, address)
		m.deliverStep(t)
	}
}

// deliverStep sends what waits: the links of the reference, in its order, and no other.
func (m *machine) deliverStep(t *rapid.T) {
	m.posted = nil
	for more := true; more; {
		var err error
		if more, err = m.svc.Outbox().DeliverNext(t.Context()); err != nil {
			t.Fatalf("deliver: %v", err)
		}
	}
	want := m.deliver()
	for _, mail := range m.posted {
		if !slices.Contains(m.addresses, mail.To) {
			continue // an earlier life's
		}
		if found := endingInMail.FindStringSubmatch(mail.Text); found != nil {
			m.endings = append(m.endings, ending(t, found[1]))
		}
		found := linkInMail.FindStringSubmatch(mail.Text)
		if found == nil {
			continue
		}
		if len(want) == 0 || want[0].kind != found[1] || want[0].address != mail.To {
			t.Fatalf("a %s link was mailed to %s, the reference has %+v", found[1], mail.To, want)
		}
		if (found[3] != "") != (want[0].flow != nil) {
			t.Fatalf("a %s link with the flow %q was mailed, the reference has %+v", found[1], found[3], want[0].flow)
		}
		want[0].token, want[0].handle, want = found[2], found[3], want[1:]
	}
	if len(want) > 0 {
		t.Fatalf("not mailed: %+v", *want[0])
	}
}

func ending(t *rapid.T, escaped string) *heldEnding {
	raw, err := url.QueryUnescape(escaped)
	parts := strings.Split(raw, ".")
	if err != nil || len(parts) < 3 {
		t.Fatalf("link of a notice: %q, %v", escaped, err)
	}
	made, err := strconv.ParseInt(parts[2], 36, 64)
	if err != nil {
		t.Fatalf("link of a notice: %v", err)
	}
	return &heldEnding{raw: raw, user: parts[0], session: parts[1], made: time.UnixMicro(made)}
}

func (m *machine) reset(t *rapid.T, address, raw, pw string) (string, error) {
	return m.svc.ResetPassword(t.Context(), auth.ResetPassword{Email: address, Token: raw, Password: auth.Password{Value: pw}}, peer.Peer{})
}

func (m *machine) resetStep(t *rapid.T) {
	m.resetWith(t, some(t, m.links, "link"), oneOf(t, append(passwords, weakPassword), "new password"))
}

func (m *machine) resetWith(t *rapid.T, l *refLink, pw string) {
	_, err := m.reset(t, l.address, l.token, pw)
	switch a := m.accounts[l.address]; {
	case l.kind != "reset" || !m.good(l):
		agree(t, "reset", err, auth.CodeInvalidResetToken)
	case pw == weakPassword: // and nothing is spent
		agree(t, "reset to a weak password", err, auth.CodePasswordNotAccepted)
	default:
		agree(t, "reset", err, "")
		l.used, a.verified = true, true
		m.setPassword(a, pw, "")
		delete(m.wrong, "account "+l.address)
	}
}

func (m *machine) forgotAndReset(t *rapid.T) {
	address := m.address(t)
	m.forgot(t, address)
	m.deliverStep(t)
	for _, l := range slices.Backward(m.links) {
		if l.address == address {
			m.resetWith(t, l, m.password(t))
			return
		}
	}
}

func (m *machine) verifyStep(t *rapid.T) {
	l, address := some(t, m.links, "link"), m.address(t)
	err := m.svc.VerifyEmail(t.Context(), address, l.token, peer.Peer{})
	if l.kind != "verify" || l.address != address || !m.good(l) {
		agree(t, "verify", err, auth.CodeInvalidVerificationCode)
		return
	}
	agree(t, "verify", err, "")
	if a := m.accounts[address]; a != nil {
		a.verified = true
	}
}

func (m *machine) signUpStep(t *rapid.T) {
	m.signUpWith(t, some(t, m.links, "link"), m.password(t))
}

func (m *machine) signUpWith(t *rapid.T, l *refLink, pw string) {
	want := m.signUp(l, pw)
	made, err := m.svc.SignUp(t.Context(), auth.SignUp{
		Email: l.address, Password: auth.Password{Value: pw}, FirstName: "Ada", LastName: "Lovelace", VerificationCode: l.token,
	}, peer.Peer{})
	agree(t, "sign up "+l.address, err, want)
	if want == "" {
		m.accounts[l.address].id = made.UserID
	}
}

func (m *machine) join(t *rapid.T) {
	address := m.address(t)
	m.askToVerify(t, address)
	m.deliverStep(t)
	for _, l := range slices.Backward(m.links) {
		if l.address == address && l.kind == "verify" {
			m.signUpWith(t, l, m.password(t))
			return
		}
	}
}

func (m *machine) change(t *rapid.T) {
	address, old, fresh := m.address(t), m.password(t), m.password(t)
	if a := m.accounts[address]; a != nil && a.password != "" && !seldom(t, "any password") {
		old = a.password
	}
	in := auth.ChangePassword{Email: address, OldPassword: auth.Password{Value: old}, NewPassword: auth.Password{Value: fresh}}
	var caller *auth.Caller
	keep, budget := "", "account "+address
	a := m.accounts[address]
	want := auth.Code("")
	if rapid.Bool().Draw(t, "with a Bearer") {
		c, own := m.bearer(t)
		if own == nil {
			return
		}
		caller, keep, budget = &c, own.id, "session "+own.id
		if own.owner != a {
			want = auth.CodeForbidden
		}
	}
	switch {
	case want != "":
	case old == fresh:
		want = auth.CodePasswordUnchanged
	case a == nil || a.password != old || a.disabled:
		want = auth.CodeInvalidCredentials
		m.mayGuess(t, budget)
	}
	_, err := m.svc.ChangePassword(t.Context(), caller, in, peer.Peer{})
	agree(t, "change the password of "+address, err, want)
	if want == "" {
		delete(m.wrong, budget)
		m.setPassword(a, fresh, keep) // I5
	}
}

func (m *machine) add(t *rapid.T, address, pw string, verified bool) {
	in := auth.NewUser{Email: address, FirstName: "Ada", LastName: "Lovelace", Unverified: !verified}
	if pw != "" {
		in.Password = &pw
	}
	u, err := m.svc.AddUser(t.Context(), in)
	if m.accounts[address] != nil {
		if !errors.Is(err, auth.ErrEmailTaken) { // I12
			t.Fatalf("add %s again: %v", address, err)
		}
		return
	}
	agree(t, "add "+address, err, "")
	m.accounts[address] = &refAccount{id: u.ID, address: address, password: pw, verified: verified, changed: m.reference.now, allowed: map[string]string{}}
}

func (m *machine) operator(t *rapid.T) {
	address, ctx := m.address(t), t.Context()
	a := m.accounts[address]
	var err error
	switch oneOf(t, []string{"add", "add", "disable", "enable", "enable", "delete", "set email", "set password", "revoke", "rotate keys"}, "act") {
	case "add":
		m.add(t, address, oneOf(t, []string{"", passwords[0], passwords[1]}, "password"), rapid.Bool().Draw(t, "verified"))
		return
	case "revoke":
		s := some(t, m.young(), "session")
		agree(t, "revoke a session", m.svc.RevokeSession(ctx, s.id), "")
		m.leave(s)
		return
	case "set email":
		m.setEmail(t, address, m.address(t))
		return
	case "rotate keys":
		_, err := m.svc.Keys().Rotate(ctx)
		agree(t, "rotate keys", err, "") // I20: and nothing changes
		return
	case "disable":
		if err = m.svc.DisableUser(ctx, address); a != nil {
			a.disabled, a.changed = true, m.reference.now
			m.end(a, "")
		}
	case "enable":
		if err = m.svc.EnableUser(ctx, address); a != nil && a.disabled {
			a.disabled, a.changed = false, m.reference.now
		}
	case "delete":
		if err = m.svc.DeleteUser(ctx, address); a != nil {
			m.end(a, "")
			delete(m.accounts, address)
		}
	case "set password":
		pw := m.password(t)
		if err = m.svc.SetPassword(ctx, address, pw); a != nil {
			m.setPassword(a, pw, "")
			delete(m.wrong, "account "+address)
		}
	}
	if a == nil && !errors.Is(err, auth.ErrNoUser) || a != nil && err != nil {
		t.Fatalf("the operator's change of %s: %v", address, err)
	}
}

// suspend disables an account for a while in which its owner goes on trying.
func (m *machine) suspend(t *rapid.T) {
	address := m.address(t)
	a := m.accounts[address]
	if a == nil {
		panic(void("no account"))
	}
	agree(t, "disable "+address, m.svc.DisableUser(t.Context(), address), "")
	a.disabled, a.changed = true, m.reference.now
	m.end(a, "")
	m.pass(time.Minute)
	oneOf(t, []func(*rapid.T, string){m.forgot, m.askToVerify}, "what")(t, address)
	m.signInStep(t)
	m.pass(time.Minute)
	agree(t, "enable "+address, m.svc.EnableUser(t.Context(), address), "")
	a.disabled, a.changed = false, m.reference.now
}

func (m *machine) setEmail(t *rapid.T, from, to string) {
	a, taken := m.accounts[from], m.accounts[to]
	err := m.svc.SetEmail(t.Context(), from, to)
	switch {
	case a == nil:
		if !errors.Is(err, auth.ErrNoUser) {
			t.Fatalf("move nobody: %v", err)
		}
	case taken != nil && taken != a:
		if !errors.Is(err, auth.ErrEmailTaken) {
			t.Fatalf("move %s to %s, which is taken: %v", from, to, err)
		}
	default:
		agree(t, "move "+from+" to "+to, err, "")
		m.moves = append(m.moves, m.reference.now)
		m.end(a, "")
		m.drop(to)
		delete(m.accounts, from)
		a.address, a.changed = to, m.reference.now
		m.accounts[to] = a
	}
}
