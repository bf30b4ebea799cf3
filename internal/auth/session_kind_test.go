package auth_test

// The kinds of sessions, on both engines: what opens one kind opens no other (I7).

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"latchkey/internal/auth"
	"latchkey/internal/authtest"
	"latchkey/internal/clients"
	"latchkey/internal/peer"
	"latchkey/internal/store"
	"latchkey/internal/token"
)

// rowOf reads a session's row.
func rowOf(t *testing.T, r *authtest.Rig, id string) (row store.Session) {
	t.Helper()
	err := r.Store.Read(context.Background(), func(tx *store.Tx) (err error) {
		row, err = tx.SessionByID(id)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return row
}

func setKind(t *testing.T, r *authtest.Rig, id, from, to string) {
	t.Helper()
	err := r.Store.Write(context.Background(), func(tx *store.Tx) error { return tx.SetKind(id, from, to) })
	if err != nil {
		t.Fatal(err)
	}
}

// refreshOf derives the refresh token of a row's generation, as whoever has the master key can.
func refreshOf(t *testing.T, r *authtest.Rig, row store.Session, generation int64) string {
	t.Helper()
	raw, err := r.Options.Master.SignRefresh(token.Refresh{
		KeyID: row.KeyID, Issuer: r.Options.Issuer, SessionID: row.ID, Client: row.Client,
		Generation: generation, IssuedAt: row.RotatedAt, ExpiresAt: row.ExpiresAt(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// Every token of a session is nobody's as soon as the row says another kind: a page's, or one that only a
// later release knows. Nothing about the row changes, whichever generation is presented.
func TestTokensOpenTheirOwnKindAlone(t *testing.T) {
	throughDoors(t, func(t *testing.T, r *authtest.Rig, at door) {
		ctx := t.Context()
		for _, kind := range []string{"page", "x", "", strings.ToUpper(at.kind)} {
			first := at.enter(t, r, "ada@example.com")
			refreshed, access := first.RefreshToken, first.AccessToken
			for range 3 {
				r.Clock.Advance(2 * r.Options.RefreshGrace)
				next, err := at.refresh(r.Service, refreshed)
				agreeCode(t, "refresh", err, "")
				refreshed, access = next.RefreshToken, next.AccessToken
			}
			r.Clock.Advance(2 * r.Options.RefreshGrace)
			setKind(t, r, first.SessionID, at.kind, kind)
			row := rowOf(t, r, first.SessionID)
			for g := int64(1); g < row.Generation+3; g++ { // current, previous, reused, and ahead of the row
				_, err := at.refresh(r.Service, refreshOf(t, r, row, g))
				agreeCode(t, kind+": refresh", err, auth.CodeInvalidRefreshToken)
				if seen, err := r.Service.Introspect(ctx, clients.Client{}, refreshOf(t, r, row, g), peer.Peer{}); err != nil || seen.Active {
					t.Errorf("%s: introspected generation %d: %+v, %v", kind, g, seen, err)
				}
				agreeCode(t, kind+": revoke", r.Service.Revoke(ctx, at.client, refreshOf(t, r, row, g), peer.Peer{}), "")
			}
			_, err := r.Service.Authenticate(ctx, access)
			agreeCode(t, kind+": Bearer", err, auth.CodeInvalidToken)
			at.accepts(t, r, access, auth.CodeInvalidToken)
			agreeCode(t, kind+": revoke by access token", r.Service.Revoke(ctx, at.client, access, peer.Peer{}), "")
			if after := rowOf(t, r, first.SessionID); after != row {
				t.Errorf("%s: the row was\n%+v\nand is\n%+v", kind, row, after)
			}
		}
	})
}

// A page's cookie opens pages' rows, and those of a release that wrote no kinds, which its first use marks. Any
// other kind is not its own to open or to change.
func TestPageTokenOpensPagesAlone(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		r := authtest.New(t, db)
		ctx := context.Background()
		r.AddUser(t, "ada@example.com")
		page := inPage(t, r, "ada@example.com")
		id := page.Caller.SessionID
		if kind := rowOf(t, r, id).Kind; kind != "page" {
			t.Errorf("a sign-in on a page made a session of kind %q", kind)
		}
		if kind := rowOf(t, r, r.In(t, "ada@example.com").SessionID).Kind; kind != "auth" {
			t.Errorf("a sign-in by the API made a session of kind %q", kind)
		}
		setKind(t, r, id, "page", "x")
		before := rowOf(t, r, id)
		_, err := r.Service.PageCaller(ctx, page.Token)
		agreeCode(t, "of a kind unknown", err, auth.CodeInvalidToken)
		if after := rowOf(t, r, id); after != before {
			t.Errorf("the row of a kind unknown was\n%+v\nand is\n%+v", before, after)
		}
		setKind(t, r, id, "x", "auth") // as the release before leaves it
		var all sync.WaitGroup
		failed := make(chan error, 8)
		for range cap(failed) {
			all.Go(func() {
				_, err := r.Service.PageCaller(ctx, page.Token)
				failed <- err
			})
		}
		all.Wait()
		for range cap(failed) {
			agreeCode(t, "of the release before", <-failed, "")
		}
		if kind := rowOf(t, r, id).Kind; kind != "page" {
			t.Errorf("the first use of the cookie left kind %q", kind)
		}
		old := inPage(t, r, "ada@example.com")
		setKind(t, r, old.Caller.SessionID, "page", "auth")
		agreeCode(t, "sign out", r.Service.SignOut(ctx, old.Caller, auth.SignOut{}, peer.Peer{}), "")
		_, err = r.Service.PageCaller(ctx, old.Token)
		agreeCode(t, "ended", err, auth.CodeInvalidToken)
		if row := rowOf(t, r, old.Caller.SessionID); row.Kind != "auth" || row.EndReason != "signed_out" {
			t.Errorf("an ended session was changed: %+v", row)
		}
		err = r.Store.Write(ctx, func(tx *store.Tx) error { return tx.SetKind(old.Caller.SessionID, "auth", "page") })
		if !errors.Is(err, store.ErrNotFound) {
			t.Errorf("setting the kind of an ended session: %v, want not found", err)
		}
	})
}
