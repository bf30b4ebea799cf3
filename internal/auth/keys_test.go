package auth_test

// Rotating signing keys and master keys: nobody is signed out, nobody comes back (I20).

import (
	"context"
	"encoding/base64"
	"encoding/json"
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
	"latchkey/internal/store"
	"latchkey/internal/token"
)

// states lists alg and state of the signing keys, oldest first.
func states(t *testing.T, svc *auth.Service) []string {
	t.Helper()
	report, err := svc.Keys(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, k := range report.Signing {
		list = append(list, k.Alg+" "+k.State)
	}
	return list
}

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
	if got := states(t, r.Service); !slices.Equal(got, want) {
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
		if _, err := r.Service.RotateKeys(ctx); err != nil {
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
		if _, err := r.Service.Sweep(ctx); err != nil {
			t.Fatal(err)
		}
		if err := r.Service.ReloadKeys(ctx); err != nil {
			t.Fatal(err)
		}
		wantStates(t, r, "ES256 active", "ES256 next")
		if _, err := r.Refresh(ctx, before.RefreshToken); err != nil {
			t.Errorf("a session from before the rotation: %v", err)
		}
	})
}

func keyOf(jwt string) string {
	head, _, _ := strings.Cut(jwt, ".")
	return head
}

// A token of the retiring key is accepted beside one of its successor.
func TestKeyRotationKeepsTokens(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		r := authtest.New(t, db)
		ctx := context.Background()
		r.AddUser(t, "ada@example.com")
		r.Clock.Advance(time.Hour) // the next key has been published for long enough
		before := r.In(t, "ada@example.com")
		if _, err := r.Service.RotateKeys(ctx); err != nil {
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
			if err := svc.SettleKeys(ctx); err != nil {
				t.Fatal(err)
			}
		}
		got := states(t, svc)
		slices.Sort(got)
		if want := []string{"ES256 active", "ES256 retiring", "EdDSA next", "EdDSA next"}; !slices.Equal(got, want) {
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

		both := restart(t, r, fresh+","+authtest.Master)
		if _, err := both.Authenticate(ctx, before.AccessToken); err != nil {
			t.Fatalf("an access token from before: %v", err)
		}
		first, err := both.Refresh(ctx, before.RefreshToken, auth.Peer{})
		if err != nil {
			t.Fatalf("a refresh token from before: %v", err)
		}
		if n := sessionsUnder(t, both, old); n != 1 {
			t.Errorf("%d sessions need the old key after one refresh, want 1 (its predecessor)", n)
		}
		second, err := both.Refresh(ctx, first.RefreshToken, auth.Peer{})
		if err != nil {
			t.Fatal(err)
		}
		if n := sessionsUnder(t, both, old); n != 0 {
			t.Errorf("%d sessions need the old key after two refreshes, want 0", n)
		}

		dropped := restart(t, r, fresh)
		if _, err := dropped.Refresh(ctx, second.RefreshToken, auth.Peer{}); err != nil {
			t.Errorf("without the old key: %v", err)
		}
		if _, err := dropped.Refresh(ctx, before.RefreshToken, auth.Peer{}); auth.CodeOf(err) != auth.CodeUnavailable {
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
		o.Master = mustMaster(t, token.NewMasterKey())
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
	foreign := mustMaster(t, token.NewMasterKey())
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
// patience of one operation, however many ask (I11).
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
			o.Master = mustMaster(t, master)
			if _, err := auth.New(context.Background(), o); err != nil { // what a command does
				t.Fatal(err)
			}
		}
		restart(t, r, authtest.Master)
		if diff := cmp.Diff(before, signingKeys(t, r)); diff != "" {
			t.Errorf("the rows have changed (-before +after):\n%s", diff)
		}
		restart(t, r, fresh+","+authtest.Master)
		for _, k := range signingKeys(t, r) {
			if want := mustMaster(t, fresh).Current(); k.KeyID != want {
				t.Errorf("key %s is under master key %s, want %s", k.ID, k.KeyID, want)
			}
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

// restart is a server's start on the rig's database.
func restart(t *testing.T, r *authtest.Rig, master string) *auth.Service {
	t.Helper()
	o := r.Options
	o.Master = mustMaster(t, master)
	svc, err := auth.New(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	if err := svc.SettleKeys(context.Background()); err != nil {
		t.Fatal(err)
	}
	return svc
}

func mustMaster(t *testing.T, text string) *token.MasterKeys {
	t.Helper()
	m, err := token.ParseMasterKeys(text)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func sessionsUnder(t *testing.T, svc *auth.Service, id string) int64 {
	t.Helper()
	report, err := svc.Keys(context.Background())
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
