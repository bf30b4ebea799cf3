package auth_test

// Which costs of hashes are computed at each evaluation, so that time tells nobody which one an account has.

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"latchkey/internal/auth"
	"latchkey/internal/authtest"
	"latchkey/internal/password"
	"latchkey/internal/peer"
)

// A cost that one account in a hundred has is computed for everybody; a rarer one is not. Each process of
// the database computes the same ones, from its start, whichever of them has counted.
func TestCommonCostsAreComputedForEverybody(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		with := func(p password.Params) *authtest.Rig {
			return authtest.New(t, db, func(o *auth.Options) { o.Hash = p })
		}
		add := func(r *authtest.Rig, name string, accounts int) {
			pw := authtest.Password
			for i := range accounts {
				u := auth.NewUser{Email: fmt.Sprintf("%s%d@example.com", name, i), FirstName: "Ada", LastName: "Lovelace", Password: &pw}
				if _, err := r.Service.AddUser(context.Background(), u); err != nil {
					t.Fatal(err)
				}
			}
		}
		common, rare, now := password.Params{MemoryKiB: 64, Time: 1}, password.Params{MemoryKiB: 32, Time: 1}, password.Params{MemoryKiB: 128, Time: 1}
		add(with(common), "common", 199)
		add(with(rare), "rare", 1)
		r := with(now)
		wants := func(r *authtest.Rig, want ...password.Params) {
			t.Helper()
			costs := map[password.Cost]bool{}
			for _, p := range want {
				costs[p.Cost()] = true
			}
			if diff := cmp.Diff(costs, auth.CommonCosts(r.Service)); diff != "" {
				t.Error(diff)
			}
		}
		wants(r, now) // nobody has counted yet
		sweepAll(t, r.Service)
		wants(r, now, common)
		wants(with(now), now, common) // a node that starts later
		wants(with(rare), rare, common)

		add(with(rare), "more", 2) // 3 of 202
		sweepAll(t, r.Service)
		wants(r, now, common) // counted lately
		r.Clock.Advance(2 * time.Hour)
		sweepAll(t, r.Service) // not while the clock is being set
		sweepAll(t, r.Service)
		wants(r, now, common, rare)
	})
}

// Every account is let in by its own password alone, whatever its hash costs.
func TestEveryCostLetsItsOwnerIn(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		pw := authtest.Password
		for i, memory := range []uint32{32, 64, 128} {
			r := authtest.New(t, db, func(o *auth.Options) { o.Hash = password.Params{MemoryKiB: memory, Time: 1} })
			if _, err := r.Service.AddUser(context.Background(), auth.NewUser{Email: fmt.Sprintf("a%d@example.com", i), FirstName: "Ada", LastName: "Lovelace", Password: &pw}); err != nil {
				t.Fatal(err)
			}
		}
		for _, counted := range []bool{false, true} {
			r := authtest.New(t, db)
			if counted {
				sweepAll(t, r.Service)
			}
			for i := range 3 {
				in := auth.SignIn{Email: fmt.Sprintf("a%d@example.com", i), Password: auth.Password{Value: "not " + pw}}
				if _, err := r.Service.SignIn(context.Background(), in, peer.Peer{}); auth.CodeOf(err) != auth.CodeInvalidCredentials {
					t.Errorf("a wrong password, counted %t: %v", counted, err)
				}
				in.Password.Value = pw
				if i == 2 && !counted {
					continue // its hash is still the old one when all costs are counted
				}
				if _, err := r.Service.SignIn(context.Background(), in, peer.Peer{}); err != nil {
					t.Errorf("account %d, counted %t: %v", i, counted, err)
				}
			}
		}
	})
}
