package auth_test

// The devices of an account, on both engines: which calls make one known, and when it is known no more.

import (
	"context"
	"fmt"
	"net/netip"
	"testing"

	"latchkey/internal/auth"
	"latchkey/internal/authtest"
	"latchkey/internal/peer"
	"latchkey/internal/store"
)

func peerAt(addr string, devices ...string) peer.Peer {
	return peer.Peer{
		Addr: netip.MustParseAddr(addr), Devices: devices,
		UserAgent: "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
	}
}

func inFrom(t *testing.T, r *authtest.Rig, email string, peer peer.Peer) auth.Tokens {
	t.Helper()
	tokens, err := r.Service.SignIn(context.Background(), auth.SignIn{Email: email, Password: auth.Password{Value: authtest.Password}}, peer)
	if err != nil {
		t.Fatalf("sign in: %v", err)
	}
	return tokens
}

func devicesOf(t *testing.T, r *authtest.Rig, userID string) (rows []store.Device) {
	t.Helper()
	err := r.Store.Read(context.Background(), func(tx *store.Tx) (err error) {
		rows, err = tx.Devices(userID)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// A new password voids every device token, and no row of one stays; whoever set it is known from then on.
func TestDevicesEndWithTheirEpoch(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		r := authtest.New(t, db)
		ctx := context.Background()
		u := r.AddUser(t, "ada@example.com")
		pw := auth.Password{Value: authtest.Password}
		fill := func() {
			t.Helper()
			for i := range 3 {
				inFrom(t, r, "ada@example.com", peerAt(fmt.Sprintf("10.0.%d.1", i)))
			}
		}
		check := func(what string, err error, want int) {
			t.Helper()
			if n := len(devicesOf(t, r, u.ID)); err != nil || n != want {
				t.Errorf("%s: %d rows, %v; want %d", what, n, err, want)
			}
		}
		fill()
		token, err := r.Service.ResetPassword(ctx, auth.ResetPassword{Email: "ada@example.com", Password: pw, Token: r.ForgotCode(t, "ada@example.com")}, peerAt("192.0.2.1"))
		check("reset", err, 1)
		if token == "" || inFrom(t, r, "ada@example.com", peerAt("192.0.2.1", token)).Device == "" {
			t.Error("a reset makes no known device")
		}
		check("sign-in with the reset's token", nil, 1)
		fill()
		other := auth.Password{Value: "another fine passphrase"}
		_, err = r.Service.ChangePassword(ctx, nil, auth.ChangePassword{Email: "ada@example.com", OldPassword: pw, NewPassword: other}, peerAt("192.0.2.1", token))
		check("change", err, 1)
		check("set by the operator", r.Service.SetPassword(ctx, "ada@example.com", authtest.Password), 0)
		fill()
		check("disable", r.Service.DisableUser(ctx, "ada@example.com"), 0)
		check("enable", r.Service.EnableUser(ctx, "ada@example.com"), 0)
		fill()
		check("delete", r.Service.DeleteUser(ctx, "ada@example.com"), 0)
	})
}
