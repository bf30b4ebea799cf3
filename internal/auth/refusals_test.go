package auth_test

// What a refusal costs, and what the audit log says of it.

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"latchkey/internal/audit"
	"latchkey/internal/auth"
	"latchkey/internal/authtest"
	"latchkey/internal/peer"
	"latchkey/internal/store"
)

const wrongToken = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

// way is one to be refused by the throttle.
type way struct {
	attempt func(i int) error
	free    int      // so many are not refused
	calls   []string // what a refusal from memory may still ask the store
	user    bool     // an account is meant
}

// ways numbers its attempts; all come from one address.
func ways(r *authtest.Rig) map[string]way {
	ctx := context.Background()
	peer := func(i int) peer.Peer {
		p := at("203.0.113.1", firefox)
		p.RequestID = fmt.Sprintf("request-%d", i)
		return p
	}
	secret := auth.Password{Value: "wrong password"}
	return map[string]way{
		"sign-in": {func(i int) error {
			_, err := r.Service.SignIn(ctx, auth.SignIn{Email: "ada@example.com", Password: secret}, peer(i))
			return err
		}, 6, nil, true},
		"sign-in, nobody's": {func(i int) error {
			_, err := r.Service.SignIn(ctx, auth.SignIn{Email: "nobody@example.com", Password: secret}, peer(i))
			return err
		}, 6, nil, false},
		"change": {func(i int) error {
			in := auth.ChangePassword{Email: "ada@example.com", OldPassword: secret, NewPassword: auth.Password{Value: "another fine passphrase"}}
			_, err := r.Service.ChangePassword(ctx, nil, in, peer(i))
			return err
		}, 6, nil, true},
		"forgot": {func(i int) error {
			_, err := r.Service.ForgotPassword(ctx, auth.ForgotPassword{Email: fmt.Sprintf("user%d@example.com", i)}, peer(i))
			return err
		}, 30, nil, false},
		"verification mail": {func(i int) error {
			return r.Service.RequestVerification(ctx, auth.VerificationMail{Email: fmt.Sprintf("user%d@example.com", i)}, peer(i))
		}, 30, nil, false},
		"reset": {func(i int) error {
			_, err := r.Service.ResetPassword(ctx, auth.ResetPassword{Email: "ada@example.com", Token: wrongToken, Password: secret}, peer(i))
			return err
		}, 100, []string{"read"}, false},
		"verify": {func(i int) error {
			return r.Service.VerifyEmail(ctx, "ada@example.com", wrongToken, peer(i))
		}, 100, []string{"read"}, false},
		"sign up": {func(i int) error {
			_, err := r.Service.SignUp(ctx, auth.SignUp{Email: "ada@example.com", Password: secret, FirstName: "Ada", LastName: "L", VerificationCode: wrongToken}, peer(i))
			return err
		}, 100, []string{"read"}, false},
		"client": {func(i int) error {
			_, err := r.Service.AuthenticateClient(ctx, auth.ClientCredentials{Alias: "shop", Secret: "wrong"}, false, peer(i))
			return err
		}, 30, nil, false},
	}
}

// A flood does not become database load: within a second a refusal is repeated without a transaction.
// Every refusal is in the audit log all the same, in one row for a counter and minute that tells of the
// first; whose account it was is told where there is one.
func TestRefusalsAreCheapAndCounted(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		var calls atomic.Pointer[[]string]
		var failing atomic.Bool
		then := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
		r := authtest.New(t, db, func(o *auth.Options) {
			o.Now = func() time.Time { return then }
			o.Store = authtest.Faults{Clock: o.Now, Fail: func(m authtest.Moment) error {
				if seen := calls.Load(); seen != nil && m.At == authtest.Calling && !slices.Contains(*seen, m.Call) {
					all := append(slices.Clone(*seen), m.Call)
					calls.Store(&all)
				}
				if failing.Load() {
					return store.ErrUnavailable
				}
				return nil
			}}.On(o.Store)
		})
		ada := r.AddUser(t, "ada@example.com")
		ctx := context.Background()
		for name, way := range ways(r) {
			then = then.Add(25 * time.Hour).Truncate(time.Minute)
			began := then
			for i := range way.free {
				if err := way.attempt(i); auth.CodeOf(err) == auth.CodeTooManyRequests {
					t.Fatalf("%s: refused at attempt %d", name, i)
				}
			}
			wantCode(t, way.attempt(way.free), auth.CodeTooManyRequests)
			calls.Store(&[]string{})
			for i := range 200 {
				wantCode(t, way.attempt(way.free+1+i), auth.CodeTooManyRequests)
			}
			if seen := *calls.Load(); !slices.Equal(seen, way.calls) {
				t.Errorf("%s: refusals from memory made calls %q, want %q", name, seen, way.calls)
			}
			calls.Store(nil)
			want := store.AuditEvent{
				At: began, Kind: "throttled", Outcome: "refused", Addr: "203.0.113.1", UserAgent: firefox,
				RequestID: fmt.Sprintf("request-%d", way.free), Times: 201,
			}
			query := audit.Query{Since: began, Limit: 1000}
			if way.user {
				want.UserID, query.User = ada.ID, "ada@example.com"
			}
			failing.Store(true)
			if err := r.Service.FlushRefusals(ctx); auth.CodeOf(err) != auth.CodeUnavailable {
				t.Errorf("%s: flushed into a database that fails: %v", name, err)
			}
			failing.Store(false)
			for range 2 { // what was told is not told again
				if err := r.Service.FlushRefusals(ctx); err != nil {
					t.Fatal(err)
				}
			}
			events, err := r.Service.AuditEvents(ctx, query)
			if err != nil {
				t.Fatal(err)
			}
			events = slices.DeleteFunc(events, func(e store.AuditEvent) bool { return e.Kind != "throttled" })
			if diff := cmp.Diff([]store.AuditEvent{want}, events, cmpopts.IgnoreFields(store.AuditEvent{}, "ID")); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		}
	})
}

// A browser shared by as many users as its cookie keeps, and a token in the header besides: each is known.
func TestThrottleKnowsEveryDeviceShown(t *testing.T) {
	r := authtest.New(t, authtest.SQLite(t))
	var shown []string
	for i := range 6 {
		email := fmt.Sprintf("user%d@example.com", i)
		r.AddUser(t, email)
		tokens, err := attempt(r, email, authtest.Password, from("203.0.113.1"))
		if err != nil {
			t.Fatal(err)
		}
		shown = append(shown, tokens.Device)
	}
	for i := range shown {
		email := fmt.Sprintf("user%d@example.com", i)
		for range 6 {
			_, err := attempt(r, email, "wrong password", from("198.51.100.1"))
			wantCode(t, err, auth.CodeInvalidCredentials)
		}
		if _, err := attempt(r, email, authtest.Password, from("203.0.113.1", shown...)); err != nil {
			t.Errorf("device %d of those shown: %v", i, err)
		}
	}
}
