package keyring_test

// Rotating signing keys and master keys: nobody is signed out, nobody comes back (I20).

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"latchkey/client"
	"latchkey/internal/auth"
	"latchkey/internal/authtest"
	"latchkey/internal/peer"
	"latchkey/internal/store"
	"latchkey/internal/token"
)

func TestMain(m *testing.M) { authtest.Main(m) }

func published(t *testing.T, r *authtest.Rig) int {
	t.Helper()
	raw, err := r.JWKS(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	var set struct{ Keys []json.RawMessage }
	if err := json.Unmarshal(raw, &set); err != nil {
		t.Fatal(err)
	}
	return len(set.Keys)
}

func wantStates(t *testing.T, r *authtest.Rig, want ...string) {
	t.Helper()
	if got := authtest.KeyStates(t, r.Service); !slices.Equal(got, want) {
		t.Errorf("keys are %v, want %v", got, want)
	}
}

// The next key is published before it signs, and the last one verifies until its tokens have expired.
func TestKeyRotation(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		r := authtest.New(t, db)
		ctx := context.Background()
		r.AddUser(t, "ada@example.com")
		wantStates(t, r, "ES256 active", "ES256 next")
		before := r.In(t, "ada@example.com")
		if _, err := r.Service.Keys().Rotate(ctx); err != nil {
			t.Fatal(err)
		}
		wantStates(t, r, "ES256 active", "ES256 next", "ES256 next") // not yet published for long enough
		kid := keyOf(before.AccessToken)
		if got := keyOf(r.In(t, "ada@example.com").AccessToken); got != kid {
			t.Error("a key signs before verifiers can know it")
		}
		r.Clock.Advance(10 * time.Minute)
		before = r.In(t, "ada@example.com")
		wantStates(t, r, "ES256 retiring", "ES256 active", "ES256 next")
		if keyOf(before.AccessToken) == kid {
			t.Error("the next key does not sign when it is due")
		}
		if n := published(t, r); n != 3 {
			t.Errorf("%d keys are published, want 3", n)
		}
		r.Clock.Advance(16 * time.Minute)
		if _, err := r.Service.Upkeep().Sweep(ctx); err != nil {
			t.Fatal(err)
		}
		if err := r.Service.Keys().Reload(ctx); err != nil {
			t.Fatal(err)
		}
		wantStates(t, r, "ES256 retired", "ES256 active", "ES256 next")
		if n := published(t, r); n != 2 {
			t.Errorf("%d keys are published, want 2", n)
		}
		if _, err := r.Refresh(ctx, before.RefreshToken); err != nil {
			t.Errorf("a session from before the rotation: %v", err)
		}
	})
}

func keyOf(jwt string) string {
	head, _, _ := strings.Cut(jwt, ".")
	return head
}

// A stolen key is believed by nobody from the moment it is replaced, here at once and on another node when that
// has read its keys again; sessions live on.
func TestKeyReplacedAtOnce(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		r := authtest.New(t, db)
		other := authtest.New(t, db)
		ctx := context.Background()
		r.AddUser(t, "ada@example.com")
		r.Clock.Advance(time.Hour)
		other.Clock.Advance(time.Hour)
		if _, err := r.Service.Keys().Rotate(ctx); err != nil { // one retires, and could be the stolen one
			t.Fatal(err)
		}
		before := r.In(t, "ada@example.com")
		if _, err := r.Service.Keys().Replace(ctx); err != nil {
			t.Fatal(err)
		}
		if err := other.Service.Keys().Reload(ctx); err != nil {
			t.Fatal(err)
		}
		wantStates(t, r, "ES256 active", "ES256 next")
		if n := published(t, r); n != 2 {
			t.Errorf("%d keys are published, want the one that signs and the next", n)
		}
		for name, node := range map[string]*authtest.Rig{"here": r, "another node": other} {
			if _, err := node.UserInfo(ctx, before.AccessToken); client.CodeOf(err) != "invalid_token" {
				t.Errorf("%s, a token of the stolen key: %v, want invalid_token", name, err)
			}
		}
		after, err := other.Refresh(ctx, before.RefreshToken)
		if err != nil {
			t.Fatalf("the session: %v", err)
		}
		if keyOf(after.AccessToken) == keyOf(before.AccessToken) {
			t.Error("the stolen key still signs")
		}
		for name, node := range map[string]*authtest.Rig{"here": r, "another node": other} {
			if _, err := node.UserInfo(ctx, after.AccessToken); err != nil {
				t.Errorf("%s, a token of the new key: %v", name, err)
			}
		}
	})
}

// A token of the retiring key is accepted beside one of its successor.
func TestKeyRotationKeepsTokens(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		r := authtest.New(t, db)
		ctx := context.Background()
		r.AddUser(t, "ada@example.com")
		r.Clock.Advance(time.Hour) // the next key has been published for long enough
		before := r.In(t, "ada@example.com")
		if _, err := r.Service.Keys().Rotate(ctx); err != nil {
			t.Fatal(err)
		}
		after := r.In(t, "ada@example.com")
		if keyOf(before.AccessToken) == keyOf(after.AccessToken) {
			t.Fatal("the key did not change")
		}
		for _, tokens := range []string{before.AccessToken, after.AccessToken} {
			if _, err := r.UserInfo(ctx, tokens); err != nil {
				t.Errorf("here: %v", err)
			}
		}
	})
}

// A token that was found right before is refused where one that is seen for the first time would be: before its time,
// by a clock that was put back; and when its key has retired, as one does that another node, of shorter-lived tokens,
// has rotated.
func TestVerifiedTokenKeepsItsTimes(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		ctx := context.Background()
		r := authtest.New(t, db, func(o *auth.Options) { o.AccessTTL = time.Hour })
		other := authtest.New(t, db)
		for _, node := range []*authtest.Rig{r, other} {
			node.Clock.Stop()
			node.Clock.Advance(time.Hour) // the next key has been published for long enough
		}
		r.AddUser(t, "ada@example.com")
		raw := r.In(t, "ada@example.com").AccessToken
		use := func(when string, later time.Duration, want string) {
			t.Helper()
			r.Clock.Advance(later)
			if _, err := r.UserInfo(ctx, raw); client.CodeOf(err) != want {
				t.Errorf("%s: got %v, want %q", when, err, want)
			}
		}
		use("at first", 0, "")
		use("more than a minute before it was made", -61*time.Second, "invalid_token")
		use("again in time", 61*time.Second, "")
		if _, err := other.Service.Keys().Rotate(ctx); err != nil {
			t.Fatal(err)
		}
		if err := r.Service.Keys().Reload(ctx); err != nil {
			t.Fatal(err)
		}
		use("of a key that retires", 14*time.Minute, "")
		use("of a key that has retired", 2*time.Minute, "invalid_token")
	})
}

// With another algorithm configured a server lets its key take over in time; a command does nothing.
func TestKeyAlgorithmChange(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		r := authtest.New(t, db)
		ctx := context.Background()
		r.AddUser(t, "ada@example.com")
		before := r.In(t, "ada@example.com")
		o := r.Options
		o.SigningAlg = "EdDSA"
		svc, err := auth.New(ctx, o)
		if err != nil {
			t.Fatal(err)
		}
		wantStates(t, r, "ES256 active", "ES256 next")
		for range 2 { // a second start changes nothing more
			if err := svc.Keys().Settle(ctx); err != nil {
				t.Fatal(err)
			}
		}
		got := authtest.KeyStates(t, svc)
		slices.Sort(got)
		if want := []string{"ES256 active", "EdDSA next", "EdDSA next"}; !slices.Equal(got, want) {
			t.Errorf("keys are %v, want %v", got, want)
		}
		if _, err := svc.Authenticate(ctx, before.AccessToken); err != nil {
			t.Errorf("a token from before: %v", err)
		}
	})
}

// A master key is replaced by giving new,old: everything made under the old one stays good, nothing new
// is made under it, and at count 0 it can go.
func TestMasterKeyRotation(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		r := authtest.New(t, db)
		ctx := context.Background()
		r.AddUser(t, "ada@example.com")
		before := r.In(t, "ada@example.com")
		old, fresh := r.Options.Master.Current(), token.NewMasterKey()

		both := r.Restart(t, fresh+","+authtest.Master)
		if _, err := both.Authenticate(ctx, before.AccessToken); err != nil {
			t.Fatalf("an access token from before: %v", err)
		}
		first, err := both.Refresh(ctx, before.RefreshToken, peer.Peer{})
		if err != nil {
			t.Fatalf("a refresh token from before: %v", err)
		}
		if n := sessionsUnder(t, both, old); n != 1 {
			t.Errorf("%d sessions need the old key after one refresh, want 1 (its predecessor)", n)
		}
		second, err := both.Refresh(ctx, first.RefreshToken, peer.Peer{})
		if err != nil {
			t.Fatal(err)
		}
		if n := sessionsUnder(t, both, old); n != 0 {
			t.Errorf("%d sessions need the old key after two refreshes, want 0", n)
		}

		dropped := r.Restart(t, fresh)
		if _, err := dropped.Refresh(ctx, second.RefreshToken, peer.Peer{}); err != nil {
			t.Errorf("without the old key: %v", err)
		}
		if _, err := dropped.Refresh(ctx, before.RefreshToken, peer.Peer{}); auth.CodeOf(err) != auth.CodeUnavailable {
			t.Errorf("a token under a key that is missing: got %v, want %s and never a 401", err, auth.CodeUnavailable)
		}
	})
}

// A database whose keys cannot be opened stops the start, and is left as it was.
func TestWrongMasterKeyStopsTheStart(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		r := authtest.New(t, db)
		r.AddUser(t, "ada@example.com")
		before := r.In(t, "ada@example.com")
		o := r.Options
		o.Master = authtest.MasterKeys(t, token.NewMasterKey())
		if _, err := auth.New(context.Background(), o); err == nil || !strings.Contains(err.Error(), "LATCHKEY_MASTER_KEY") {
			t.Errorf("got %v, want a sentence that names LATCHKEY_MASTER_KEY", err)
		}
		var known []string
		err := r.Store.Read(context.Background(), func(tx *store.Tx) (err error) {
			known, err = tx.MasterKeyIDs()
			return err
		})
		if err != nil || len(known) != 1 {
			t.Errorf("the database knows the master keys %v (%v), want the one", known, err)
		}
		if _, err := r.UserInfo(context.Background(), before.AccessToken); err != nil {
			t.Errorf("the running server: %v", err)
		}
	})
}

// A refresh token under a master key that no database has seen is refused, not waited for.
func TestForeignMasterKey(t *testing.T) {
	r := authtest.New(t, authtest.SQLite(t))
	r.AddUser(t, "ada@example.com")
	mine := r.In(t, "ada@example.com")
	foreign := authtest.MasterKeys(t, token.NewMasterKey())
	claims, err := r.Options.Master.ParseRefresh(mine.RefreshToken)
	if err != nil {
		t.Fatal(err)
	}
	claims.KeyID = foreign.Current()
	raw, err := foreign.SignRefresh(claims)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Refresh(context.Background(), raw); client.CodeOf(err) != "invalid_refresh_token" {
		t.Errorf("got %v, want invalid_refresh_token", err)
	}
}

// While the database hangs, everybody whose token names a key not known here is told within the
// time of one operation, however many ask (I11).
func TestUnknownKeysShareOneReload(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	db := authtest.Postgres(t)
	r := authtest.New(t, db)
	conn, err := pgx.Connect(ctx, db.Options.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, "BEGIN; LOCK TABLE master_keys"); err != nil {
		t.Fatal(err)
	}
	header := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"ES256","kid":"another","typ":"at+jwt"}`))
	began := time.Now()
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			if _, err := r.Service.Authenticate(ctx, header+".e30.AAAA"); auth.CodeOf(err) != auth.CodeUnavailable {
				t.Errorf("got %v, want %s", err, auth.CodeUnavailable)
			}
		})
	}
	all.Wait()
	if took := time.Since(began); took > 7*time.Second {
		t.Errorf("the last was told after %s", took)
	}
}

// Only a server's start seals the keys under another master key, and it leaves those alone that are
// under the right one.
func TestSigningKeysAreResealedByServersAlone(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		r := authtest.New(t, db)
		before := signingKeys(t, r)
		fresh := token.NewMasterKey()
		for _, master := range []string{authtest.Master, fresh + "," + authtest.Master} {
			o := r.Options
			o.Master = authtest.MasterKeys(t, master)
			if _, err := auth.New(context.Background(), o); err != nil { // what a command does
				t.Fatal(err)
			}
		}
		r.Restart(t, authtest.Master)
		if diff := cmp.Diff(before, signingKeys(t, r)); diff != "" {
			t.Errorf("the rows have changed (-before +after):\n%s", diff)
		}
		r.Restart(t, fresh+","+authtest.Master)
		for _, k := range signingKeys(t, r) {
			if want := authtest.MasterKeys(t, fresh).Current(); k.KeyID != want {
				t.Errorf("key %s is under master key %s, want %s", k.ID, k.KeyID, want)
			}
		}
	})
}

// Keys that a clock made which was hours ahead sign when they are needed, and none is due later than a new one would be.
func TestClockStepAndSigningKeys(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		ctx := context.Background()
		var log bytes.Buffer
		authtest.New(t, db, func(o *auth.Options) { // makes the first keys, six hours from now
			right := o.Now
			o.Now = func() time.Time { return right().Add(6 * time.Hour) }
			o.Store = authtest.Faults{Clock: o.Now}.On(o.Store)
		})
		r := authtest.New(t, db, func(o *auth.Options) {
			o.Store = authtest.Faults{Clock: o.Now}.On(o.Store)
			o.Log = slog.New(slog.NewTextHandler(&log, nil))
		})
		r.AddUser(t, "ada@example.com")
		wantStates(t, r, "ES256 active", "ES256 next")
		first := r.In(t, "ada@example.com")
		if _, err := r.UserInfo(ctx, first.AccessToken); err != nil {
			t.Errorf("signed by a key that is not due: %v", err)
		}
		if err := r.Service.Upkeep().SettleClock(ctx); err != nil {
			t.Fatal(err)
		}
		if err := r.Service.Keys().Reload(ctx); err != nil {
			t.Fatal(err)
		}
		report, err := r.Service.Keys().Report(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range report.Signing {
			if k.UseFrom.After(r.Clock.Now().Add(11 * time.Minute)) {
				t.Errorf("key %s is to sign at %v, further ahead than any", k.State, k.UseFrom)
			}
		}
		wantStates(t, r, "ES256 active", "ES256 next") // the one that waits goes on waiting
		if !strings.Contains(log.String(), "signing keys") {
			t.Errorf("it is not logged: %s", &log)
		}
	})
}

func signingKeys(t *testing.T, r *authtest.Rig) (rows []store.SigningKey) {
	t.Helper()
	err := r.Store.Read(context.Background(), func(tx *store.Tx) (err error) {
		rows, err = tx.SigningKeys()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func sessionsUnder(t *testing.T, svc *auth.Service, id string) int64 {
	t.Helper()
	report, err := svc.Keys().Report(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range report.Master {
		if m.ID == id {
			return m.Sessions
		}
	}
	t.Fatalf("master key %s is not listed", id)
	return 0
}
