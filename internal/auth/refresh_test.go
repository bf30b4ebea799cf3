package auth_test

// Refreshing through the whole server: the rules of internal/rotation with a real row under them.

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"latchkey/api"
	"latchkey/client"
	"latchkey/internal/auth"
	"latchkey/internal/authtest"
	"latchkey/internal/peer"
	"latchkey/internal/token"
)

// I2: 50 refreshes of one token at once give 50 times the one successor.
func TestRefreshAtOnce(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		r := authtest.New(t, db)
		r.AddUser(t, "ada@example.com")
		first := r.In(t, "ada@example.com")
		got := make([]api.Tokens, 50)
		errs := make([]error, len(got))
		var wg sync.WaitGroup
		for i := range got {
			wg.Go(func() { got[i], errs[i] = r.Refresh(context.Background(), first.RefreshToken) })
		}
		wg.Wait()
		for i := range got {
			if errs[i] != nil {
				t.Fatalf("refresh %d: %v", i, errs[i])
			}
			if got[i].RefreshToken != got[0].RefreshToken {
				t.Errorf("refresh %d got another successor", i)
			}
		}
		if got[0].RefreshToken == first.RefreshToken {
			t.Error("the token did not rotate")
		}
	})
}

// The metric tells what is wrong with a token from what is wrong with us.
func TestRefreshOutcomes(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		ctx := context.Background()
		r := authtest.New(t, db)
		r.AddUser(t, "ada@example.com")
		good := r.In(t, "ada@example.com").RefreshToken
		var got []string
		r.Options.OnRefresh = func(outcome string) { got = append(got, outcome) }
		whole := r.Restart(t, authtest.Master)
		for _, raw := range []string{good, good + "A", "garbage"} {
			_, _ = whole.Refresh(ctx, raw, peer.Peer{})
		}
		fresh := token.NewMasterKey()
		r.Restart(t, fresh+","+authtest.Master)
		if _, err := r.Restart(t, fresh).Refresh(ctx, good, peer.Peer{}); auth.CodeOf(err) != auth.CodeUnavailable {
			t.Errorf("without its master key: %v", err)
		}
		if want := []string{"rotated", "malformed", "malformed", "unavailable"}; !slices.Equal(got, want) {
			t.Errorf("counted %v, want %v", got, want)
		}
	})
}

// I3: reuse outside the windows ends the session, and the refusal does not undo that.
func TestRefreshReuseEndsTheSession(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		r := authtest.New(t, db)
		r.AddUser(t, "ada@example.com")
		stolen := r.In(t, "ada@example.com")
		current := stolen
		for range 3 {
			r.Clock.Advance(5 * time.Minute)
			var err error
			if current, err = r.Refresh(context.Background(), current.RefreshToken); err != nil {
				t.Fatal(err)
			}
		}
		for _, raw := range []string{stolen.RefreshToken, current.RefreshToken} {
			_, err := r.Refresh(context.Background(), raw)
			if client.CodeOf(err) != "invalid_refresh_token" {
				t.Errorf("got %v, want invalid_refresh_token", err)
			}
		}
		if _, err := r.UserInfo(context.Background(), current.AccessToken); client.CodeOf(err) != "invalid_token" {
			t.Errorf("the access token of the ended session: got %v, want invalid_token", err)
		}
		if m := r.Mail(t, "ada@example.com"); m.Subject == "" {
			t.Error("the owner was not told")
		}
	})
}
