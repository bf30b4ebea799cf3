package store_test

// What a refresh costs the database: alone, and with 64 callers at once.

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"latchkey/internal/authtest"
	"latchkey/internal/store"
)

func BenchmarkRotate(b *testing.B) {
	for _, db := range []func(testing.TB) authtest.Database{authtest.SQLite, authtest.Postgres} {
		database := db(b)
		s := database.Open(b)
		for name, way := range map[string]way{"single": s.Single, "joint": s.Joint} {
			for _, callers := range []int{1, 64} {
				b.Run(fmt.Sprintf("%s/%s/callers=%d", database.Engine, name, callers), func(b *testing.B) { rotate(b, s, way, callers) })
			}
		}
	}
}

// way is how a rotation is asked for; on SQLite both are one.
type way func(context.Context, func(*store.Tx) error) error

func rotate(b *testing.B, s *store.Store, way way, callers int) {
	sessions := make([]store.Session, callers)
	for i := range sessions {
		sessions[i] = addSession(b, s, addUser(b, s).ID)
	}
	var left atomic.Int64
	left.Store(int64(b.N))
	done := make(chan error, callers)
	b.ResetTimer()
	for _, session := range sessions {
		go func() {
			for g := session.Generation; left.Add(-1) >= 0; g++ {
				err := way(ctx, func(tx *store.Tx) error {
					_, err := tx.Rotate(rotateParams(session.ID, g, g, now), now)
					return err
				})
				if err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range sessions {
		if err := <-done; err != nil {
			b.Error(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "rotations/s")
}
