package authtest

// For tests of keys: other master keys, and what the database's keys have come to.

import (
	"context"
	"testing"

	"latchkey/internal/auth"
	"latchkey/internal/token"
)

// MasterKeys reads master keys as an operator gives them, the current one first.
func MasterKeys(t testing.TB, text string) *token.MasterKeys {
	t.Helper()
	m, err := token.ParseMasterKeys(text)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// Restart is what a server's start on the rig's database does, with the given master keys.
func (r *Rig) Restart(t testing.TB, masterKeys string) *auth.Service {
	t.Helper()
	o := r.Options
	o.Master = MasterKeys(t, masterKeys)
	svc, err := auth.New(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	if err := svc.Keys().Settle(context.Background()); err != nil {
		t.Fatal(err)
	}
	return svc
}

// KeyStates lists algorithm and state of the signing keys, oldest first.
func KeyStates(t testing.TB, svc *auth.Service) []string {
	t.Helper()
	report, err := svc.Keys().Report(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, k := range report.Signing {
		list = append(list, k.Alg+" "+k.State)
	}
	return list
}
