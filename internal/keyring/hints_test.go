package keyring_test

// ID tokens that come back as hints, over the life of the keys that signed them; and audiences of access tokens.

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"latchkey/internal/auth"
	"latchkey/internal/authtest"
	"latchkey/internal/token"
)

// accessOf is an access token as a session of the rig would have it.
func accessOf(r *authtest.Rig, audience string) token.Access {
	now := r.Clock.Now().UTC().Truncate(time.Second)
	return token.Access{
		Subject: uuid.NewString(), Audience: audience, TokenID: uuid.NewString(), SessionID: uuid.NewString(), Client: "shop",
		IssuedAt: now, ExpiresAt: now.Add(10 * time.Minute), AuthTime: now,
	}
}

func signAccess(t *testing.T, r *authtest.Rig, a token.Access) string {
	t.Helper()
	raw, err := r.Service.Keys().SignAccess(a, r.Clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// signHint signs an ID token with the key that is active.
func signHint(t *testing.T, r *authtest.Rig) (raw string, id token.ID) {
	t.Helper()
	a := accessOf(r, "")
	id = token.ID{
		Issuer: r.Options.Issuer, Subject: a.Subject, Audience: a.Client, SessionID: a.SessionID,
		IssuedAt: a.IssuedAt, ExpiresAt: a.ExpiresAt, AuthTime: a.AuthTime,
	}
	unnamed := id
	unnamed.Issuer = "" // the keys' own is set
	raw, err := r.Service.Keys().SignID(unnamed, signAccess(t, r, a), r.Clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	return raw, id
}

func wantHint(t *testing.T, when string, svc *auth.Service, raw string, want error) (id token.ID) {
	t.Helper()
	id, refusal, err := svc.Keys().ParseHint(context.Background(), raw)
	if err != nil || !errors.Is(refusal, want) {
		t.Errorf("%s: a hint is refused with %v, %v; want %v", when, refusal, err, want)
	}
	return id
}

// forgetOld sweeps and reads the keys again. It sweeps twice: after a test has moved the clock the first time only notices
// that it was set.
func forgetOld(t *testing.T, r *authtest.Rig) {
	t.Helper()
	ctx := context.Background()
	for range 2 {
		for more := true; more; {
			var err error
			if more, err = r.Service.Upkeep().Sweep(ctx); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := r.Service.Keys().Reload(ctx); err != nil {
		t.Fatal(err)
	}
}

// A hint is good for as long as a session may be that it names, although its key has retired: that is published no more,
// and nothing else under it is believed.
func TestHintsOutliveTheirKey(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		ctx := context.Background()
		r := authtest.New(t, db)
		r.Clock.Stop()
		r.Clock.Advance(time.Hour) // the next key has been published for long enough
		raw, id := signHint(t, r)
		access := signAccess(t, r, accessOf(r, ""))
		if diff := cmp.Diff(id, wantHint(t, "at first", r.Service, raw, nil)); diff != "" {
			t.Errorf("the hint (-want +got):\n%s", diff)
		}
		if _, err := r.Service.Keys().Rotate(ctx); err != nil {
			t.Fatal(err)
		}
		r.Clock.Advance(r.Options.AccessTTL + 5*time.Minute + time.Second) // the key has just retired
		forgetOld(t, r)
		wantStates(t, r, "ES256 retired", "ES256 active", "ES256 next")
		wantHint(t, "of a key that has retired", r.Service, raw, nil)
		wantHint(t, "of a key that has retired, after a restart", r.Restart(t, authtest.Master), raw, nil)
		if n := published(t, r); n != 2 {
			t.Errorf("%d keys are published, want the one that signs and the next", n)
		}
		if _, refusal, err := r.Service.Keys().ParseAccess(ctx, access); err != nil || !errors.Is(refusal, token.ErrUnknownKey) {
			t.Errorf("an access token of the retired key: %v, %v", refusal, err)
		}
		r.Clock.Advance(r.Options.RefreshOverall - 2*time.Second)
		forgetOld(t, r)
		wantHint(t, "shortly before the overall limit", r.Service, raw, nil)
		r.Clock.Advance(4 * time.Second)
		forgetOld(t, r)
		wantHint(t, "beyond the overall limit", r.Service, raw, token.ErrUnknownKey)
		wantStates(t, r, "ES256 active", "ES256 next")
	})
}

// A key that was stolen signs no hints either, and nobody knows which one was: all but the new one are dropped, here at
// once and on another node when that has read its keys again.
func TestKeysDroppedAtOnceAreNotKeptForHints(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		ctx := context.Background()
		r := authtest.New(t, db)
		other := authtest.New(t, db)
		for _, node := range []*authtest.Rig{r, other} {
			node.Clock.Stop()
			node.Clock.Advance(time.Hour)
		}
		ofRetired, _ := signHint(t, r)
		if _, err := r.Service.Keys().Rotate(ctx); err != nil {
			t.Fatal(err)
		}
		r.Clock.Advance(time.Hour)
		ofActive, _ := signHint(t, r)
		wantStates(t, r, "ES256 retired", "ES256 active", "ES256 next")
		if _, err := r.Service.Keys().Replace(ctx); err != nil {
			t.Fatal(err)
		}
		wantStates(t, r, "ES256 active", "ES256 next")
		if err := other.Service.Keys().Reload(ctx); err != nil {
			t.Fatal(err)
		}
		fresh, _ := signHint(t, r)
		for name, node := range map[string]*authtest.Rig{"here": r, "another node": other} {
			wantHint(t, name+", of a key that had retired", node.Service, ofRetired, token.ErrUnknownKey)
			wantHint(t, name+", of the key that was active", node.Service, ofActive, token.ErrUnknownKey)
			wantHint(t, name+", of the new key", node.Service, fresh, nil)
		}
	})
}

// Another node's newest key is asked for when a hint names it.
func TestHintOfAKeyNotYetKnown(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		r := authtest.New(t, db)
		other := authtest.New(t, db)
		for range 2 { // the first makes the key that the second has sign
			if _, err := r.Service.Keys().Replace(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
		raw, _ := signHint(t, r)
		wantHint(t, "on another node", other.Service, raw, nil)
	})
}

// A token for a resource says so; every other is for the configured audience. Both are read, and the caller compares.
func TestAudienceOfAccessTokens(t *testing.T) {
	r := authtest.New(t, authtest.SQLite(t))
	for asked, want := range map[string]string{"": r.Options.Audience, "https://files.example.org": "https://files.example.org"} {
		raw := signAccess(t, r, accessOf(r, asked))
		for range 2 { // the second is from memory
			a, refusal, err := r.Service.Keys().ParseAccess(context.Background(), raw)
			if err != nil || refusal != nil || a.Audience != want || a.Issuer != r.Options.Issuer {
				t.Errorf("for %q: %+v, %v, %v", asked, a, refusal, err)
			}
		}
	}
}
