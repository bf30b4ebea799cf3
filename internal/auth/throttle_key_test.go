package auth_test

// The key under which counters are named: nobody can try whose they are, and no rotation lowers one.

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"

	"latchkey/internal/auth"
	"latchkey/internal/authtest"
	"latchkey/internal/token"
)

// counters names every counter, in hexadecimal.
func counters(t *testing.T, db authtest.Database) string {
	t.Helper()
	var text strings.Builder
	for _, name := range db.Counters(t) {
		text.WriteString(hex.EncodeToString(name) + "\n")
	}
	return text.String()
}

// Whoever reads the database cannot try which address a counter belongs to: the same address has other
// names in another database, and none is a plain hash.
func TestCountersNameNobody(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		r := authtest.New(t, db)
		elsewhere := authtest.SQLite(t)
		other := authtest.New(t, elsewhere)
		for _, r := range []*authtest.Rig{r, other} {
			_, err := attempt(r, "ada@example.com", "wrong password", from("203.0.113.1"))
			wantCode(t, err, auth.CodeInvalidCredentials)
		}
		here, there := counters(t, db), counters(t, elsewhere)
		if strings.Count(here, "\n") < 2 {
			t.Fatalf("an account's and an address's counter are not there:\n%s", here)
		}
		for name := range strings.Lines(here) {
			if strings.Contains(there, name) {
				t.Errorf("two databases have a counter of the same name %s", name)
			}
		}
		for _, plain := range []string{"ada@example.com", "throttle v1\x00account\x00ada@example.com"} {
			if sum := sha256.Sum256([]byte(plain)); strings.Contains(here, hex.EncodeToString(sum[:])) {
				t.Errorf("a counter's name is the plain hash of %q", plain)
			}
		}
	})
}

// I8, I20: a rotation of the master key lowers no counter, and `key list` says when the old key may go.
func TestMasterKeyRotationResetsNoCounter(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		r := authtest.New(t, db)
		ctx := context.Background()
		r.AddUser(t, "ada@example.com")
		old, fresh := r.Options.Master.Current(), token.NewMasterKey()
		for range 6 {
			_, err := attempt(r, "ada@example.com", "wrong password", from("203.0.113.1"))
			wantCode(t, err, auth.CodeInvalidCredentials)
		}
		others := func(svc *auth.Service, id string) int64 {
			report, err := svc.Keys().Report(ctx)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range report.Master {
				if m.ID == id {
					return m.SealedKeys
				}
			}
			return -1
		}
		if n := others(r.Service, old); n != 1 {
			t.Errorf("%d other keys are counted under the only master key, want 1", n)
		}
		if err := dropTo(t, r, fresh, authtest.Master); err == nil || !strings.Contains(err.Error(), old) {
			t.Errorf("without the key that seals the throttle's: %v, want a sentence that names %s", err, old)
		}
		both := r.Restart(t, fresh+","+authtest.Master)
		if a, b := others(both, old), others(both, authtest.MasterKeys(t, fresh).Current()); a != 0 || b != 1 {
			t.Errorf("after a server's start %d other keys are under the old key and %d under the new, want 0 and 1", a, b)
		}
		for _, svc := range []*auth.Service{both, r.Restart(t, fresh)} {
			_, err := svc.SignIn(ctx, auth.SignIn{Email: "ada@example.com", Password: auth.Password{Value: authtest.Password}}, from("198.51.100.1"))
			wantCode(t, err, auth.CodeTooManyRequests)
		}
	})
}

// dropTo starts with the new key alone on a database that has seen it, while the old one still seals.
func dropTo(t *testing.T, r *authtest.Rig, fresh, old string) error {
	t.Helper()
	o := r.Options
	o.Master = authtest.MasterKeys(t, old+","+fresh)
	if _, err := auth.New(context.Background(), o); err != nil {
		t.Fatal(err)
	}
	o.Master = authtest.MasterKeys(t, fresh)
	_, err := auth.New(context.Background(), o)
	return err
}
