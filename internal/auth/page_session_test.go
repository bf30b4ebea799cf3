package auth_test

// Sessions of the hosted pages, on both engines.

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"latchkey/internal/audit"
	"latchkey/internal/auth"
	"latchkey/internal/authtest"
	"latchkey/internal/clients"
	"latchkey/internal/peer"
	"latchkey/internal/store"
	"latchkey/internal/token"
)

func inPage(t *testing.T, r *authtest.Rig, email string) auth.PageSession {
	t.Helper()
	s, err := r.Service.SignInPage(context.Background(), auth.SignIn{Email: email, Password: auth.Password{Value: authtest.Password}}, peer.Peer{})
	if err != nil {
		t.Fatalf("sign in on a page: %v", err)
	}
	return s
}

// agreeCode fails the test when err's code is not the one wanted; "" is none.
func agreeCode(t *testing.T, what string, err error, want auth.Code) {
	t.Helper()
	got := auth.Code("")
	if err != nil {
		got = auth.CodeOf(err)
	}
	if got != want {
		t.Errorf("%s: got %q (%v), want %q", what, got, err, want)
	}
}

// Signing in on a page is signing in: the same refusals, throttle and audit.
func TestSignInPageRefusesAsSignInDoes(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		r := authtest.New(t, db)
		ctx := context.Background()
		r.AddUser(t, "ada@example.com")
		pw := authtest.Password
		if _, err := r.Service.AddUser(ctx, auth.NewUser{Email: "new@example.com", FirstName: "N", LastName: "N", Password: &pw, Unverified: true}); err != nil {
			t.Fatal(err)
		}
		try := func(email, password, alias string) error {
			_, err := r.Service.SignInPage(ctx, auth.SignIn{Email: email, Password: auth.Password{Value: password}, ClientAlias: alias}, peer.Peer{})
			return err
		}
		agreeCode(t, "no email", try("", pw, ""), auth.CodeInvalidRequest)
		agreeCode(t, "no such client", try("ada@example.com", pw, "nobody"), auth.CodeUnknownClient)
		agreeCode(t, "nobody", try("nobody@example.com", pw, ""), auth.CodeInvalidCredentials)
		agreeCode(t, "unverified", try("new@example.com", pw, ""), auth.CodeEmailNotVerified)
		for range 6 {
			agreeCode(t, "wrong", try("ada@example.com", "wrong horse", ""), auth.CodeInvalidCredentials)
		}
		agreeCode(t, "too many", try("ada@example.com", pw, ""), auth.CodeTooManyRequests)
		_, err := attempt(r, "ada@example.com", pw, peer.Peer{})
		agreeCode(t, "too many, at the other door", err, auth.CodeTooManyRequests)
	})
}

// Whatever ends sessions ends a page's at once.
func TestPageSessionEnds(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		ctx := context.Background()
		r := authtest.New(t, db, func(o *auth.Options) { o.SessionsPerUser = 2 })
		own := func(s auth.PageSession) *auth.Caller { return &s.Caller }
		const other = "another fine passphrase"
		for name, end := range map[string]func(email string, s auth.PageSession) error{
			"sign-out": func(_ string, s auth.PageSession) error {
				return r.Service.SignOut(ctx, s.Caller, auth.SignOut{}, peer.Peer{})
			},
			"sign-out of the others": func(email string, _ auth.PageSession) error {
				return r.Service.SignOut(ctx, inPage(t, r, email).Caller, auth.SignOut{Others: true}, peer.Peer{})
			},
			"another ends it": func(email string, s auth.PageSession) error {
				return r.Service.EndSession(ctx, inPage(t, r, email).Caller, s.Caller.SessionID, peer.Peer{})
			},
			"evicted": func(email string, _ auth.PageSession) error {
				for range 2 {
					r.Clock.Advance(time.Second)
					inPage(t, r, email)
				}
				return nil
			},
			"reset": func(email string, _ auth.PageSession) error {
				_, err := r.Service.ResetPassword(ctx, auth.ResetPassword{
					Email: email, Token: r.ForgotCode(t, email), Password: auth.Password{Value: other},
				}, peer.Peer{})
				return err
			},
			"change from elsewhere": func(email string, _ auth.PageSession) error {
				_, err := r.Service.ChangePassword(ctx, own(inPage(t, r, email)), auth.ChangePassword{
					Email: email, OldPassword: auth.Password{Value: authtest.Password}, NewPassword: auth.Password{Value: other},
				}, peer.Peer{})
				return err
			},
			"disabled": func(email string, _ auth.PageSession) error { return r.Service.DisableUser(ctx, email) },
			"deleted":  func(email string, _ auth.PageSession) error { return r.Service.DeleteUser(ctx, email) },
			"operator": func(_ string, s auth.PageSession) error { return r.Service.RevokeSession(ctx, s.Caller.SessionID) },
		} {
			t.Run(name, func(t *testing.T) {
				email := strings.ReplaceAll(name, " ", "-") + "@example.com"
				r.AddUser(t, email)
				s := inPage(t, r, email)
				if _, err := r.Service.PageCaller(ctx, s.Token); err != nil {
					t.Fatalf("alive: %v", err)
				}
				r.Clock.Advance(time.Second)
				if err := end(email, s); err != nil {
					t.Fatal(err)
				}
				_, err := r.Service.PageCaller(ctx, s.Token)
				agreeCode(t, "ended", err, auth.CodeInvalidToken)
			})
		}
	})
}

// Signing in anew in the same browser ends the session that it replaces there (one copied before is worth
// nothing after), another account's never (I18), and none while the password is wrong.
func TestSignInPageReplacesItsSession(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		r := authtest.New(t, db)
		ctx := context.Background()
		r.AddUser(t, "ada@example.com")
		r.AddUser(t, "eve@example.com")
		before, eve := inPage(t, r, "ada@example.com"), inPage(t, r, "eve@example.com")
		again := func(password, replaces string) (auth.PageSession, error) {
			return r.Service.SignInPage(ctx, auth.SignIn{Email: "ada@example.com", Password: auth.Password{Value: password}, Replaces: replaces}, peer.Peer{})
		}
		lives := func(what string, s auth.PageSession, want auth.Code) {
			t.Helper()
			_, err := r.Service.PageCaller(ctx, s.Token)
			agreeCode(t, what, err, want)
		}
		_, err := again("wrong horse", before.Token)
		agreeCode(t, "wrong", err, auth.CodeInvalidCredentials)
		lives("after a wrong password", before, "")
		for what, replaces := range map[string]string{"nothing": "", "another's": eve.Token, "a forged one": before.Token + "A"} {
			if _, err := again(authtest.Password, replaces); err != nil {
				t.Errorf("%s: %v", what, err)
			}
		}
		lives("before", before, "")
		lives("another's, whose browser it was", eve, auth.CodeInvalidToken)
		after, err := again(authtest.Password, before.Token)
		agreeCode(t, "anew", err, "")
		lives("replaced", before, auth.CodeInvalidToken)
		lives("the new one", after, "")
		if e, err := r.Service.ExplainSession(ctx, before.Caller.SessionID); err != nil || e.Reason != "signed_out" {
			t.Errorf("explained as %q, %v", e.Reason, err)
		}
		events, err := r.Service.AuditEvents(ctx, audit.Query{Limit: 100})
		if err != nil {
			t.Fatal(err)
		}
		ended := 0
		for _, e := range events {
			if e.SessionID == before.Caller.SessionID && e.Kind == "session_ended" {
				ended++
			}
		}
		if ended != 1 {
			t.Errorf("audited %d times, want once", ended)
		}
	})
}

// Many requests of one browser at once, at two nodes, when use is due to be noted: it is noted once and
// nobody is signed out; against a sign-out, none is let in afterwards.
func TestPageUseAtOnce(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		ctx := context.Background()
		nodes := [...]*authtest.Rig{authtest.New(t, db), authtest.New(t, db)}
		nodes[0].AddUser(t, "ada@example.com")
		s := inPage(t, nodes[0], "ada@example.com")
		for _, n := range nodes {
			n.Clock.Advance(6 * time.Minute)
		}
		visit := func(leave func()) {
			var all sync.WaitGroup
			for i := range 40 {
				all.Go(func() {
					_, err := nodes[i%2].Service.PageCaller(ctx, s.Token)
					if err != nil && (leave == nil || auth.CodeOf(err) != auth.CodeInvalidToken) {
						t.Errorf("at once: %v", err)
					}
				})
			}
			if leave != nil {
				leave()
			}
			all.Wait()
		}
		visit(nil)
		err := nodes[0].Store.Read(ctx, func(tx *store.Tx) error {
			row, err := tx.SessionByID(s.Caller.SessionID)
			if row.Generation != 2 {
				t.Errorf("noted %d times, want once", row.Generation-1)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range nodes {
			n.Clock.Advance(6 * time.Minute)
		}
		visit(func() {
			agreeCode(t, "sign out", nodes[1].Service.SignOut(ctx, s.Caller, auth.SignOut{}, peer.Peer{}), "")
			_, err := nodes[0].Service.PageCaller(ctx, s.Token)
			agreeCode(t, "after the sign-out", err, auth.CodeInvalidToken)
		})
		_, err = nodes[0].Service.PageCaller(ctx, s.Token)
		agreeCode(t, "at last", err, auth.CodeInvalidToken)
	})
}

// Changing the password on the page itself keeps the session at hand.
func TestPageSessionOutlivesItsOwnChange(t *testing.T) {
	r := authtest.New(t, authtest.SQLite(t))
	ctx := context.Background()
	r.AddUser(t, "ada@example.com")
	s := inPage(t, r, "ada@example.com")
	if _, err := r.Service.ChangePassword(ctx, &s.Caller, auth.ChangePassword{
		Email: "ada@example.com", OldPassword: auth.Password{Value: authtest.Password}, NewPassword: auth.Password{Value: "another fine passphrase"},
	}, peer.Peer{}); err != nil {
		t.Fatal(err)
	}
	_, err := r.Service.PageCaller(ctx, s.Token)
	agreeCode(t, "the session that changed it", err, "")
}

// Use moves the inactivity limit, once in five minutes, and never the overall one (I16).
func TestPageSessionLimits(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		r := authtest.New(t, db)
		ctx := context.Background()
		r.AddUser(t, "ada@example.com")
		s := inPage(t, r, "ada@example.com")
		if s.MaxAge != r.Options.RefreshOverall {
			t.Errorf("MaxAge is %v, want the overall limit", s.MaxAge)
		}
		row := func() auth.Session {
			t.Helper()
			e, err := r.Service.ExplainSession(ctx, s.Caller.SessionID)
			if err != nil {
				t.Fatal(err)
			}
			return e.Session
		}
		use := func() error { _, err := r.Service.PageCaller(ctx, s.Token); return err }
		made := row()
		r.Clock.Advance(4 * time.Minute)
		agreeCode(t, "soon", use(), "")
		if got := row(); got.LastUsedAt != made.LastUsedAt {
			t.Errorf("used within five minutes: noted at %v", got.LastUsedAt)
		}
		r.Clock.Advance(2 * time.Minute)
		agreeCode(t, "later", use(), "")
		if got := row(); !got.LastUsedAt.After(made.LastUsedAt.Add(5*time.Minute)) || !got.ExpiresAt.After(made.ExpiresAt) {
			t.Errorf("used after five minutes: last used %v, expires %v", got.LastUsedAt, got.ExpiresAt)
		}
		for range 4 { // each within the inactivity limit, all together not
			r.Clock.Advance(7 * 24 * time.Hour)
			agreeCode(t, "each week", use(), "")
		}
		r.Clock.Advance(3 * 24 * time.Hour)
		agreeCode(t, "after the overall limit", use(), auth.CodeInvalidToken)

		idle := inPage(t, r, "ada@example.com")
		r.Clock.Advance(r.Options.RefreshIdle + time.Second)
		_, err := r.Service.PageCaller(ctx, idle.Token)
		agreeCode(t, "after the inactivity limit", err, auth.CodeInvalidToken)
	})
}

// I7: a page token is nothing but that, and nothing else is one; in one spelling.
func TestPageTokenIsNothingElse(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		r := authtest.New(t, db)
		ctx := context.Background()
		r.AddUser(t, "ada@example.com")
		page, api := inPage(t, r, "ada@example.com"), r.In(t, "ada@example.com")
		raw := page.Token
		parts := strings.Split(raw, ".")
		other := strings.Split(inPage(t, r, "ada@example.com").Token, ".")
		for what, forged := range map[string]string{
			"nothing": "", "device token": page.Device, "access token": api.AccessToken, "refresh token": api.RefreshToken,
			"capitals": strings.ToUpper(raw), "cut": raw[:len(raw)-1], "more": raw + "A", "session id": page.Caller.SessionID,
			"another's session": strings.Join([]string{other[0], parts[1], parts[2], parts[3]}, "."),
			"another's MAC":     strings.Join([]string{parts[0], parts[1], parts[2], other[3]}, "."),
			"no key's":          strings.Join([]string{parts[0], parts[1], "0123456789abcdef", parts[3]}, "."),
		} {
			_, err := r.Service.PageCaller(ctx, forged)
			agreeCode(t, what, err, auth.CodeInvalidToken)
		}
		_, err := r.Service.Authenticate(ctx, raw)
		agreeCode(t, "as a Bearer", err, auth.CodeInvalidToken)
		_, err = r.Service.Refresh(ctx, raw, peer.Peer{})
		agreeCode(t, "to refresh", err, auth.CodeInvalidRefreshToken)
		_, err = r.Service.EndByLink(ctx, raw, peer.Peer{})
		agreeCode(t, "as a notice's link", err, auth.CodeInvalidVerificationCode)
		if got, err := r.Service.Introspect(ctx, clients.Client{}, raw, peer.Peer{}); err != nil || got.Active {
			t.Errorf("introspected: %+v, %v", got, err)
		}
		agreeCode(t, "revoke", r.Service.Revoke(ctx, "", raw, peer.Peer{}), "")
		_, err = r.Service.PageCaller(ctx, raw)
		agreeCode(t, "after /oauth/revoke", err, "")
	})
}

// A node without the master key of a page token cannot tell, and signs nobody out; the key is counted as
// needed for as long as the cookie is good, however often the session is used (I20).
func TestPageSessionOverMasterKeys(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		ctx := context.Background()
		ring := func(keys string) func(*auth.Options) {
			return func(o *auth.Options) {
				m, err := token.ParseMasterKeys(keys)
				if err != nil {
					t.Fatal(err)
				}
				o.Master = m
			}
		}
		next := token.NewMasterKey()
		old := authtest.New(t, db)
		old.AddUser(t, "ada@example.com")
		s := inPage(t, old, "ada@example.com")
		both := authtest.New(t, db, ring(next+","+authtest.Master))
		both.Clock.Advance(6 * time.Minute)
		_, err := both.Service.PageCaller(ctx, s.Token)
		agreeCode(t, "under both keys", err, "")
		report, err := both.Service.Keys().Report(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range report.Master {
			if want := map[bool]int64{true: 1}[k.ID == old.Options.Master.Current()]; k.Sessions != want {
				t.Errorf("%d sessions need key %s, want %d", k.Sessions, k.ID, want)
			}
		}
		fresh := authtest.New(t, db, ring(next))
		_, err = fresh.Service.PageCaller(ctx, s.Token)
		agreeCode(t, "under the new key alone", err, auth.CodeUnavailable)
		theirs := inPage(t, fresh, "ada@example.com")
		_, err = old.Service.PageCaller(ctx, theirs.Token)
		if code := auth.CodeOf(err); err == nil || code == auth.CodeInvalidToken {
			t.Errorf("a new key's, at a node with the old one: got %v, want that it cannot tell", err)
		}
	})
}

// Of an account's own page: sessions alive and ended, the newest first, with the reason of each end.
func TestAccount(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		r := authtest.New(t, db)
		ctx := context.Background()
		r.AddUser(t, "ada@example.com")
		r.AddUser(t, "eve@example.com")
		inPage(t, r, "eve@example.com")
		id := func(s auth.PageSession) string { return s.Caller.SessionID }
		step := func() auth.PageSession {
			r.Clock.Advance(time.Minute)
			return inPage(t, r, "ada@example.com")
		}
		idle := step() // and never used
		r.Clock.Advance(10 * 24 * time.Hour)
		first := step()
		out := step()
		agreeCode(t, "sign out", r.Service.SignOut(ctx, out.Caller, auth.SignOut{}, peer.Peer{}), "")
		r.Clock.Advance(5 * 24 * time.Hour)
		last := step()
		evil := step()
		agreeCode(t, "end", r.Service.EndSession(ctx, last.Caller, id(evil), peer.Peer{}), "")
		look := func() (live, ended []string) {
			t.Helper()
			a, err := r.Service.Account(ctx, last.Caller)
			if err != nil {
				t.Fatal(err)
			}
			if a.Email != "ada@example.com" || a.FirstName != "Ada" || a.LastName != "Lovelace" {
				t.Errorf("account: %+v", a)
			}
			for _, s := range a.Sessions {
				if live = append(live, s.ID); s.Current != (s.ID == id(last)) {
					t.Errorf("session %s is current: %t", s.ID, s.Current)
				}
			}
			for _, s := range a.Ended {
				if ended = append(ended, s.ID+" "+s.EndReason); s.EndedAt.IsZero() {
					t.Errorf("session %s ended at no time", s.ID)
				}
			}
			return live, ended
		}
		live, ended := look()
		agreeList(t, "live", live, id(last), id(first))
		agreeList(t, "ended", ended, id(evil)+" revoked", id(idle)+" expired_idle", id(out)+" signed_out")
		r.Clock.Advance(26 * 24 * time.Hour)
		_, ended = look()
		agreeList(t, "ended, later", ended, id(last)+" expired_idle", id(first)+" expired_idle", id(evil)+" revoked", id(idle)+" expired_idle")
		for range 25 {
			s := step()
			agreeCode(t, "sign out", r.Service.SignOut(ctx, s.Caller, auth.SignOut{}, peer.Peer{}), "")
		}
		if _, ended = look(); len(ended) != 20 {
			t.Errorf("%d ended sessions are shown, want 20", len(ended))
		}
		if err := r.Service.DeleteUser(ctx, "ada@example.com"); err != nil {
			t.Fatal(err)
		}
		_, err := r.Service.Account(ctx, last.Caller)
		agreeCode(t, "deleted", err, auth.CodeInvalidToken)
	})
}

func agreeList(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%s: got\n%s\nwant\n%s", what, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
