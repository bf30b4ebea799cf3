package auth_test

// I19: every security event is in the audit log exactly once, with who, from where and in which request;
// and the auditor finds nothing wrong with a database after it all.

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"latchkey/api"
	"latchkey/client"
	"latchkey/internal/audit"
	"latchkey/internal/auth"
	"latchkey/internal/authtest"
	"latchkey/internal/outbox"
	"latchkey/internal/peer"
	"latchkey/internal/store"
)

// told lists kind and outcome of what was audited after q, and where the next look goes on.
func told(t *testing.T, r *authtest.Rig, q audit.Query) ([]string, audit.Query) {
	t.Helper()
	q.Limit = 1000
	events, err := r.Service.AuditEvents(context.Background(), q)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, e := range events {
		list = append(list, e.Kind+" "+e.Outcome)
		q.Since, q.After = e.At, e.ID
	}
	return list, q
}

func TestAuditTellsEverythingOnce(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		r := authtest.New(t, db, func(o *auth.Options) { o.SessionsPerUser = 2 })
		ctx := context.Background()
		const ada, next = "ada@example.com", "another fine passphrase"
		var first, second api.Tokens
		var q audit.Query
		ok := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		for _, step := range []struct {
			name string
			do   func()
			want []string
		}{
			{"sign up", func() {
				ok(r.RequestVerification(ctx, api.VerificationMailRequest{Email: ada}))
				_, err := r.SignUp(ctx, api.SignUpRequest{
					Email: ada, Password: authtest.Password, FirstName: "Ada", LastName: "Lovelace", VerificationCode: r.Code(t, ada),
				})
				ok(err)
			}, []string{"sign_up ok"}},
			{"sign in", func() { first = r.In(t, ada) }, []string{"sign_in ok"}},
			{"sign in wrongly", func() { _, _ = attempt(r, ada, "wrong password", from("203.0.113.1")) }, []string{"sign_in refused"}},
			{"refresh", func() {
				var err error
				first, err = r.Refresh(ctx, first.RefreshToken)
				ok(err)
			}, nil},
			{"sign in beyond the limit", func() { second = r.In(t, ada); r.In(t, ada) },
				[]string{"sign_in ok", "session_ended evicted", "sign_in ok"}},
			{"sign the others out", func() { ok(r.SignOut(ctx, second.AccessToken, api.SignOutRequest{Others: true})) },
				[]string{"session_ended revoked"}},
			{"sign the others out again", func() { ok(r.SignOut(ctx, second.AccessToken, api.SignOutRequest{Others: true})) }, nil},
			{"sign out", func() { ok(r.SignOut(ctx, second.AccessToken, api.SignOutRequest{})) }, []string{"session_ended signed_out"}},
			{"sign out again", func() { _ = r.SignOut(ctx, second.AccessToken, api.SignOutRequest{}) }, nil},
			{"change the password", func() {
				first = r.In(t, ada)
				ok(r.ChangePassword(ctx, first.AccessToken, api.ChangePasswordRequest{Email: ada, OldPassword: authtest.Password, NewPassword: next}))
			}, []string{"sign_in ok", "password_changed ok"}},
			{"reset it", func() {
				ok(r.ResetPassword(ctx, ada, api.PasswordResetRequest{Password: authtest.Password, Token: r.ForgotCode(t, ada)}))
			}, []string{"password_reset ok"}},
			{"be noticed by reuse", func() {
				stolen := r.In(t, ada)
				tokens := stolen
				for range 2 {
					var err error
					r.Clock.Advance(time.Hour)
					tokens, err = r.Refresh(ctx, tokens.RefreshToken)
					ok(err)
				}
				r.Clock.Advance(time.Hour)
				_, _ = r.Refresh(ctx, stolen.RefreshToken)
				_, _ = r.Refresh(ctx, stolen.RefreshToken)
			}, []string{"sign_in ok", "refresh_reuse ok"}},
			{"come back late", func() {
				tokens := r.In(t, ada)
				_, err := r.Refresh(ctx, tokens.RefreshToken)
				ok(err)
				r.Clock.Advance(time.Hour)
				for range 2 {
					_, err = r.Refresh(ctx, tokens.RefreshToken)
					ok(err)
				}
			}, []string{"sign_in ok", "refresh_late ok"}},
			{"be disabled and enabled", func() {
				ok(r.Service.DisableUser(ctx, ada))
				ok(r.Service.EnableUser(ctx, ada))
			}, []string{"user_disabled ok", "user_enabled ok"}},
			{"be unlocked", func() { ok(r.Service.UnlockUser(ctx, ada)) }, []string{"user_unlocked ok"}},
			{"have another address", func() { ok(r.Service.SetEmail(ctx, ada, "countess@example.com")) }, []string{"email_changed ok"}},
			{"be throttled", func() {
				for range 9 {
					_, _ = attempt(r, "countess@example.com", "wrong password", from("203.0.113.2"))
				}
			}, slices.Concat(slices.Repeat([]string{"sign_in refused"}, 6), []string{"throttled refused"})},
			{"be deleted", func() { ok(r.Service.DeleteUser(ctx, "countess@example.com")) }, []string{"user_deleted ok"}},
			{"send a mail again", func() {
				mails, err := r.Service.Outbox().List(ctx, outbox.Query{Waiting: true, Limit: 1})
				ok(err)
				ok(r.Service.Outbox().Retry(ctx, mails[0].ID))
			}, []string{"mail_retried ok"}},
			{"rotate keys", func() {
				_, err := r.Service.Keys().Rotate(ctx)
				ok(err)
			}, []string{"key_rotated ok"}},
		} {
			t.Run(step.name, func(t *testing.T) {
				step.do()
				r.Clock.Advance(time.Second)
				var got []string
				got, q = told(t, r, q)
				if !slices.Equal(got, step.want) {
					t.Errorf("audited %q, want %q", got, step.want)
				}
				r.Clock.Advance(time.Second)
			})
		}
		wantSound(t, r)
	})
}

// Each session that ends is told of by name, also where many end at once.
func TestAuditNamesEachSession(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		r := authtest.New(t, db, func(o *auth.Options) {
			o.SessionsPerUser = 4
			o.Store = authtest.Faults{Clock: o.Now}.On(o.Store)
		})
		ctx := context.Background()
		ada := r.AddUser(t, "ada@example.com")
		var in []api.Tokens
		for range 4 {
			r.Clock.Advance(time.Second)
			in = append(in, r.In(t, "ada@example.com"))
		}
		options := r.Options
		options.SessionsPerUser = 2
		stricter, err := auth.New(ctx, options)
		if err != nil {
			t.Fatal(err)
		}
		ended := func(what string, do func() error, want ...api.Tokens) {
			t.Helper()
			r.Clock.Advance(time.Second)
			since := r.Clock.Now()
			if err := do(); err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			events, err := r.Service.AuditEvents(ctx, audit.Query{Since: since.Add(-time.Millisecond), User: ada.ID, Limit: 100})
			if err != nil {
				t.Fatal(err)
			}
			var got, ids []string
			for _, e := range events {
				if e.Kind == "session_ended" {
					got = append(got, e.Outcome+" "+e.SessionID)
				}
			}
			for _, tokens := range want {
				ids = append(ids, what+" "+tokens.SessionID)
			}
			slices.Sort(got)
			slices.Sort(ids)
			if !slices.Equal(got, ids) {
				t.Errorf("audited %q, want %q", got, ids)
			}
		}
		ended("evicted", func() error {
			_, err := stricter.SignIn(ctx, auth.SignIn{Email: "ada@example.com", Password: auth.Password{Value: authtest.Password}}, peer.Peer{})
			return err
		}, in[:3]...)
		in = append(in[3:], r.In(t, "ada@example.com"))
		sessions, err := r.Sessions(ctx, in[0].AccessToken, ada.ID)
		if err != nil || len(sessions) != 3 {
			t.Fatalf("%d sessions, %v", len(sessions), err)
		}
		in = append(in, api.Tokens{SessionID: sessions[1].ID})
		ended("revoked", func() error { return r.SignOut(ctx, in[0].AccessToken, api.SignOutRequest{Others: true}) }, in[1:]...)
	})
}

// An account is named by its address, or by its id when it has that address no more.
func TestAuditOfWhoIsGone(t *testing.T) {
	r := authtest.New(t, authtest.SQLite(t))
	ctx := context.Background()
	ada, eve := r.AddUser(t, "ada@example.com"), r.AddUser(t, "eve@example.com")
	if err := r.Service.SetEmail(ctx, "ada@example.com", "countess@example.com"); err != nil {
		t.Fatal(err)
	}
	if err := r.Service.DeleteUser(ctx, "eve@example.com"); err != nil {
		t.Fatal(err)
	}
	for named, want := range map[string][]string{
		"countess@example.com": {"user_added ok", "email_changed ok"},
		ada.ID:                 {"user_added ok", "email_changed ok"},
		eve.ID:                 {"user_added ok", "user_deleted ok"},
	} {
		if got, _ := told(t, r, audit.Query{User: named}); !slices.Equal(got, want) {
			t.Errorf("%s: audited %q, want %q", named, got, want)
		}
	}
	for _, named := range []string{"ada@example.com", "eve@example.com"} {
		_, err := r.Service.AuditEvents(ctx, audit.Query{User: named, Limit: 1})
		if !errors.Is(err, auth.ErrNoUser) || !strings.Contains(err.Error(), "user id") {
			t.Errorf("%s: got %v, which does not say what to name", named, err)
		}
	}
}

// What the log has forgotten is not missed in it.
func TestAuditorKnowsHowOldTheLogIs(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		r := authtest.New(t, db, func(o *auth.Options) {
			o.AuditDays = 1
			o.Store = authtest.Faults{Clock: o.Now}.On(o.Store)
		})
		ctx := context.Background()
		r.AddUser(t, "ada@example.com")
		first := r.In(t, "ada@example.com")
		tokens := first
		for range 2 {
			r.Clock.Advance(time.Hour)
			var err error
			if tokens, err = r.Refresh(ctx, tokens.RefreshToken); err != nil {
				t.Fatal(err)
			}
		}
		r.Clock.Advance(time.Hour)
		if _, err := r.Refresh(ctx, first.RefreshToken); client.CodeOf(err) != "invalid_refresh_token" {
			t.Fatalf("reuse: %v", err)
		}
		r.In(t, "ada@example.com")
		r.Clock.Advance(48 * time.Hour)
		later, err := auth.New(ctx, r.Options) // a running one does not trust such a clock
		if err != nil {
			t.Fatal(err)
		}
		if _, err := later.Upkeep().Sweep(ctx); err != nil {
			t.Fatal(err)
		}
		if got, _ := told(t, r, audit.Query{}); len(got) > 0 {
			t.Fatalf("left in the log: %q", got)
		}
		wantSound(t, r)
		r.In(t, "ada@example.com")
		wantSound(t, r)
	})
}

func wantSound(t *testing.T, r *authtest.Rig) {
	t.Helper()
	found, err := r.Service.Violations(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range found {
		t.Errorf("%s: %s: %s", v.Invariant, v.What, v.ID)
	}
}

// A sign-up link that was asked for before the account's last change is dead, although the mail was written while
// its address had no account yet. One that a sign-up left alive is found.
func TestAuditorKnowsDeadSignUpLinks(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		r := authtest.New(t, db)
		now := r.Clock.Now()
		signedUp := func(email string, changed time.Time) {
			t.Helper()
			link := func(name string, asked time.Time) store.OneTimeToken {
				return store.OneTimeToken{Purpose: "verify", Email: email, Hash: []byte(name + email), RequestID: name, RequestedAt: asked, ExpiresAt: now.Add(time.Hour)}
			}
			spent, late := link("spent", now.Add(-2*time.Hour)), link("late", now.Add(-time.Hour))
			err := r.Store.Write(t.Context(), func(tx *store.Tx) error {
				if err := tx.InsertUser(store.User{ID: email, Email: email, Epoch: 1, CreatedAt: changed, ChangedAt: changed, VerifiedAt: changed}); err != nil {
					return err
				}
				if err := tx.PutOneTime(spent); err != nil {
					return err
				}
				if err := tx.SpendOneTime("verify", email, spent.Hash, email, now); err != nil {
					return err
				}
				return tx.PutOneTime(late)
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		signedUp("ada@example.com", now)
		wantSound(t, r)
		signedUp("eve@example.com", now.Add(-3*time.Hour))
		found, err := r.Service.Violations(t.Context())
		if err != nil || len(found) != 1 || found[0].Invariant != "I4" || found[0].ID != "eve@example.com" {
			t.Errorf("of a link that can still be spent: %+v, %v", found, err)
		}
	})
}

// The auditor sees what it is there to see: a row of each kind is broken behind the rules' back.
func TestAuditorFindsWhatIsBroken(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		r := authtest.New(t, db)
		ctx := context.Background()
		u := r.AddUser(t, "ada@example.com")
		r.In(t, "ada@example.com")
		wantSound(t, r)
		now := time.Now()
		err := r.Store.Write(ctx, func(tx *store.Tx) error {
			for i, s := range []store.Session{
				{UserID: "nobody"},
				{UserID: u.ID, Rotation: store.Rotation{Generation: 3, BurstFrom: 9}},
				{UserID: u.ID, OverallExpiresAt: now.Add(-time.Hour)},
				{UserID: u.ID, EndReason: "refresh_reuse", EndedAt: now},
				{UserID: u.ID, EndReason: "admin"},
				{UserID: u.ID, EndReason: "admin", EndedAt: now, Kind: "oauth"},
			} {
				s.ID, s.CreatedAt, s.RotatedAt = fmt.Sprintf("broken-%d", i), now, now
				for _, at := range []*time.Time{&s.BurstAt, &s.PrevAt, &s.IdleExpiresAt} {
					*at = now
				}
				if s.OverallExpiresAt.IsZero() {
					s.OverallExpiresAt = now.Add(time.Hour)
				}
				s.Generation = max(1, s.Generation)
				if s.BurstFrom == 0 {
					s.BurstFrom = 1
				}
				tx.InsertSession(s)
			}
			for _, broken := range []store.User{
				{ID: "shouting", Email: "EVE@example.com"},
				{ID: "bare", Email: "bob@example.com", PasswordHash: "secret"},
			} {
				broken.CreatedAt, broken.ChangedAt = now, now
				if err := tx.InsertUser(broken); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		found, err := r.Service.Violations(ctx)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, v := range found {
			got = append(got, v.Invariant+" "+v.ID)
		}
		for _, want := range []string{"I1 broken-0", "I2 broken-1", "I16 broken-2", "I3 broken-3", "I1 broken-4", "I13 broken-5", "I19 broken-0", "I12 shouting", "I14 bare"} {
			if !slices.Contains(got, want) {
				t.Errorf("%s was not found among %s", want, strings.Join(got, ", "))
			}
		}
	})
}
