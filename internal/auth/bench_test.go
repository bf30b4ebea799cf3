package auth_test

// What the everyday operations cost on SQLite, without HTTP: one caller after another, and together.

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"latchkey/internal/auth"
	"latchkey/internal/authtest"
)

const benchSessions = 256 // more than there are callers at once

// signedIn are that many users with a session each.
func signedIn(b *testing.B, r *authtest.Rig) []auth.Tokens {
	b.Helper()
	list := make([]auth.Tokens, benchSessions)
	for i := range list {
		email := fmt.Sprintf("user%d@example.com", i)
		r.AddUser(b, email)
		tokens, err := attempt(r, email, authtest.Password, from("203.0.113.1"))
		if err != nil {
			b.Fatal(err)
		}
		list[i] = tokens
	}
	return list
}

// BenchmarkRefresh rotates: each caller goes on with the token it was given last.
func BenchmarkRefresh(b *testing.B) {
	r := authtest.New(b, authtest.SQLite(b))
	list, peer := signedIn(b, r), from("203.0.113.1")
	refresh := func(raw string) string {
		tokens, err := r.Service.Refresh(context.Background(), raw, peer)
		if err != nil {
			b.Error(err)
		}
		return tokens.RefreshToken
	}
	b.Run("alone", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			list[0].RefreshToken = refresh(list[0].RefreshToken)
		}
	})
	b.Run("together", func(b *testing.B) {
		var taken atomic.Int64
		b.SetParallelism(16) // callers for each CPU: they share commits
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			own := &list[taken.Add(1)%benchSessions].RefreshToken
			for pb.Next() {
				*own = refresh(*own)
			}
		})
	})
}

// BenchmarkAuthenticate asks for a known access token, whose signature is remembered, and whose session is
// read all the same.
func BenchmarkAuthenticate(b *testing.B) {
	r := authtest.New(b, authtest.SQLite(b))
	list := signedIn(b, r)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			if _, err := r.Service.Authenticate(context.Background(), list[i%benchSessions].AccessToken); err != nil {
				b.Error(err)
			}
		}
	})
}

// BenchmarkSessions lists the 20 sessions of one user.
func BenchmarkSessions(b *testing.B) {
	r := authtest.New(b, authtest.SQLite(b))
	r.AddUser(b, "ada@example.com")
	var last auth.Tokens
	for range 20 {
		var err error
		if last, err = attempt(r, "ada@example.com", authtest.Password, from("203.0.113.1")); err != nil {
			b.Fatal(err)
		}
	}
	caller := auth.Caller{UserID: last.UserID, SessionID: last.SessionID}
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			list, err := r.Service.Sessions(context.Background(), caller, caller.UserID)
			if err != nil || len(list) != 20 {
				b.Errorf("%d sessions, %v", len(list), err)
			}
		}
	})
}
