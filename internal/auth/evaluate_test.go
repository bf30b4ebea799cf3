package auth

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"latchkey/internal/password"
)

// While a database that hangs keeps every permit, callers are told to come back (I11); one whose turn
// comes in time is served.
func TestPermitIsNotAwaitedForEver(t *testing.T) {
	for _, tt := range []struct {
		held   time.Duration
		served bool
	}{
		{permitTimeout - time.Second, true},
		{permitTimeout + time.Second, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := &Service{o: Options{Pool: password.NewPool(1, 1)}}
			go func() {
				_ = s.withPermit(context.Background(), password.Caller{}, func() error {
					time.Sleep(tt.held)
					return nil
				})
			}()
			synctest.Wait()
			served := false
			err := s.withPermit(context.Background(), password.Caller{}, func() error {
				served = true
				return nil
			})
			if served != tt.served || (err == nil) != served || err != nil && CodeOf(err) != CodeUnavailable {
				t.Errorf("a permit held for %v: %v, served %t", tt.held, err, served)
			}
			synctest.Wait()
			time.Sleep(tt.held)
		})
	}
}
