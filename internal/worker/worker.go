// Package worker does what no request should wait for: it delivers the outbox, tells apps of sessions that have ended, and
// keeps the house.
// Each exported function blocks until its context ends; the commands start them.
package worker

import (
	"context"
	"log/slog"
	"time"

	"latchkey/internal/auth"
	"latchkey/internal/logouts"
	"latchkey/internal/outbox"
)

const (
	pollEvery    = time.Second // another node, or a command, may have put mail into the outbox
	upkeepEvery  = 30 * time.Second
	betweenBites = 50 * time.Millisecond // so that no caller notices the sweep

	checkpointEvery = 200 * time.Millisecond // more often copies the same pages again and again
)

// Outbox delivers mail as it becomes due. Several may run side by side, in one process or many: one
// that waits for a slow SMTP server holds nobody else up.
func Outbox(ctx context.Context, box *outbox.Outbox, log *slog.Logger) error {
	return deliver(ctx, box.Woken(), box.DeliverNext, "the outbox", log)
}

// FirstTries is Outbox for mail that gives no trouble: see DeliverFirst.
func FirstTries(ctx context.Context, box *outbox.Outbox, log *slog.Logger) error {
	return deliver(ctx, box.Woken(), box.DeliverFirst, "the outbox", log)
}

// Logouts tells apps of sessions that have ended. Nobody wakes it: it looks each second, whoever ended them.
func Logouts(ctx context.Context, l *logouts.Logouts, log *slog.Logger) error {
	return deliver(ctx, nil, l.DeliverNext, "what apps are to be told", log)
}

// SteadyLogouts is Logouts for apps that give no trouble: see DeliverSteady.
func SteadyLogouts(ctx context.Context, l *logouts.Logouts, log *slog.Logger) error {
	return deliver(ctx, nil, l.DeliverSteady, "what apps are to be told", log)
}

// deliver has one after another delivered as long as there are any, then looks again when it is woken, and each second.
func deliver(ctx context.Context, woken <-chan struct{}, next func(context.Context) (bool, error), what string, log *slog.Logger) error {
	for {
		delivered, err := next(ctx)
		if err != nil && ctx.Err() == nil {
			log.Error(what+" cannot be read", "cause", err)
		}
		if delivered && err == nil && ctx.Err() == nil {
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-woken:
		case <-time.After(pollEvery):
		}
	}
}

// Upkeep measures the clock, sets right what one that was ahead has put off, reads the keys again, compares
// settings with other nodes, audits what was refused from memory, counts sessions and forgets what is old.
func Upkeep(ctx context.Context, svc *auth.Service, log *slog.Logger) error {
	for {
		for _, chore := range []struct {
			name string
			do   func(context.Context) error
		}{
			{"measure the clock", svc.Node().MeasureClock},
			{"settle the clock", svc.Upkeep().SettleClock},
			{"read the keys", svc.Keys().Reload},
			{"compare nodes", svc.Node().Compare},
			{"audit refusals", svc.FlushRefusals},
			{"count sessions", svc.Upkeep().CountSessions},
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
		more, err := svc.Upkeep().Sweep(ctx)
		if err != nil || !more || !pause(ctx, betweenBites) {
			return err
		}
	}
}

// Checkpoints moves what was committed to its place, all the time, so that no commit has to. After a failure it
// goes on: on a disk that was full, a log that is not copied back grows until the disk is full again.
func Checkpoints(ctx context.Context, svc *auth.Service, log *slog.Logger) error {
	for pause(ctx, checkpointEvery) {
		if err := svc.Checkpoint(); err != nil {
			log.Error("the database's log cannot be copied back and will be tried again", "cause", err)
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
