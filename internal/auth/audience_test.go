package auth_test

// Which access tokens under keys of ours open nothing here, whoever they are for.

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"

	"latchkey/internal/auth"
	"latchkey/internal/authtest"
	"latchkey/internal/clients"
	"latchkey/internal/peer"
	"latchkey/internal/token"
)

// A token for another resource, or a client's own, is refused by whatever takes a Bearer, however right its signature,
// and says and ends nothing.
func TestTokensForOthersOpenNothing(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		ctx := context.Background()
		r := authtest.New(t, db)
		r.Clock.Stop()
		u := r.AddUser(t, "ada@example.com")
		in := r.In(t, "ada@example.com")
		now := r.Clock.Now().UTC().Truncate(time.Second)
		sign := func(change func(*token.Access)) string {
			a := token.Access{
				Subject: u.ID, TokenID: uuid.NewString(), SessionID: in.SessionID, Client: "latchkey",
				IssuedAt: now, ExpiresAt: now.Add(time.Minute), AuthTime: now,
			}
			change(&a)
			raw, err := r.Service.Keys().SignAccess(a, now)
			if err != nil {
				t.Fatal(err)
			}
			return raw
		}
		good := sign(func(*token.Access) {})
		others := map[string]string{
			"for another resource":         sign(func(a *token.Access) { a.Audience = "https://files.example.com" }),
			"for the audience and a slash": sign(func(a *token.Access) { a.Audience = r.Options.Audience + "/" }),
			"a client's own":               sign(func(a *token.Access) { a.Subject, a.SessionID, a.AuthTime = a.Client, "", time.Time{} }),
			"a client's own, for another resource": sign(func(a *token.Access) {
				a.Subject, a.SessionID, a.AuthTime, a.Audience = a.Client, "", time.Time{}, "https://files.example.com"
			}),
		}
		_, err := r.Service.Authenticate(ctx, good)
		agreeCode(t, "for the configured audience", err, "")
		for name, raw := range others {
			_, err := r.Service.Authenticate(ctx, raw)
			agreeCode(t, name, err, auth.CodeInvalidToken)
			if seen, err := r.Service.Introspect(ctx, clients.Client{}, raw, peer.Peer{}); err != nil || seen.Active {
				t.Errorf("%s: introspected: %+v, %v", name, seen, err)
			}
		}
		r.Clock.Advance(time.Hour)
		caller, err := r.Service.AuthenticateLeaver(ctx, good)
		if err != nil || !caller.RunOut || caller.SessionID != in.SessionID {
			t.Errorf("run out, for the configured audience: %+v, %v", caller, err)
		}
		for name, raw := range others {
			_, err := r.Service.AuthenticateLeaver(ctx, raw)
			agreeCode(t, "run out, "+name, err, auth.CodeInvalidToken)
			agreeCode(t, "revoke, "+name, r.Service.Revoke(ctx, "", raw, peer.Peer{}), "")
		}
		if row := rowOf(t, r, in.SessionID); !row.EndedAt.IsZero() {
			t.Errorf("the session was ended: %+v", row)
		}
		agreeCode(t, "revoke", r.Service.Revoke(ctx, "", good, peer.Peer{}), "")
		if row := rowOf(t, r, in.SessionID); row.EndedAt.IsZero() {
			t.Error("a token for the configured audience ends nothing: the test proves nothing")
		}
	})
}
