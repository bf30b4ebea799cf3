// Package worker does what no request should wait for: it delivers the outbox and keeps the house.
// Each exported function blocks until its context ends; the commands start them.
package worker

import (
	"context"
	"log/slog"
	"time"

	"latchkey/internal/auth"
)

const (
	pollEvery    = time.Second // another node, or a command, may have put mail into the outbox
	upkeepEvery  = 30 * time.Second
	betweenBites = 50 * time.Millisecond // so that no caller notices the sweep

	checkpointEvery = 200 * time.Millisecond // more often copies the same pages again and again
)

// Outbox delivers mail as it becomes due. Several may run side by side, in one process or many: one
// that waits for a slow SMTP server holds nobody else up.
func Outbox(ctx context.Context, svc *auth.Service, log *slog.Logger) error {
	for {
		delivered, err := svc.DeliverNext(ctx)
		if err != nil && ctx.Err() == nil {
			log.Error("the outbox cannot be read", "cause", err)
		}
		if delivered && err == nil && ctx.Err() == nil {
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-svc.MailWaiting():
		case <-time.After(pollEvery):
		}
	}
}

// Upkeep measures the clock, reads the keys again, audits what was refused from memory and forgets what
// is old.
func Upkeep(ctx context.Context, svc *auth.Service, log *slog.Logger) error {
	for {
		for _, chore := range []struct {
			name string
			do   func(context.Context) error
		}{
			{"measure the clock", svc.MeasureClock},
			{"read the keys", svc.ReloadKeys},
			{"audit refusals", svc.FlushRefusals},
			{"sweep", func(ctx context.Context) error { return sweep(ctx, svc) }},
		} {
			if err := chore.do(ctx); err != nil && ctx.Err() == nil {
				log.Error("upkeep failed and will be tried again", "chore", chore.name, "cause", err)
			}
		}
		if !pause(ctx, upkeepEvery) {
			return nil
		}
	}
}

// sweep takes bites until there is nothing left to forget.
func sweep(ctx context.Context, svc *auth.Service) error {
	for {
		more, err := svc.Sweep(ctx)
		if err != nil || !more || !pause(ctx, betweenBites) {
			return err
		}
	}
}

// Checkpoints moves what was committed to its place, all the time, so that no commit has to.
func Checkpoints(ctx context.Context, svc *auth.Service, log *slog.Logger) error {
	for pause(ctx, checkpointEvery) {
		if err := svc.Checkpoint(); err != nil {
			log.Error("the database's log cannot be copied back and will be tried again", "cause", err)
			pause(ctx, upkeepEvery)
		}
	}
	return nil
}

// pause is false when the context ended meanwhile.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
