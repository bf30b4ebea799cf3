package main

// Errors while the database is away: whoever waits for it meets the same one again and again, and one line a
// minute of each kind says as much. What is not the database's trouble is written as often as it comes.

import (
	"context"
	"errors"
	"log/slog"

	"latchkey/internal/burst"
	"latchkey/internal/store"
)

// outageHandler leaves out what it has said within the last minute, and says how much that was.
type outageHandler struct {
	slog.Handler
	said *burst.Limiter
}

func newOutageHandler(h slog.Handler) slog.Handler {
	return outageHandler{h, &burst.Limiter{}}
}

func (h outageHandler) Handle(ctx context.Context, r slog.Record) error {
	kind, ok := outageKind(r)
	if !ok {
		return h.Handler.Handle(ctx, r)
	}
	skipped, due := h.said.Take(kind, r.Time)
	if !due {
		return nil
	}
	if skipped > 0 {
		r.AddAttrs(burst.Skipped(skipped))
	}
	return h.Handler.Handle(ctx, r)
}

// outageKind is the kind of an error whose cause is the database's trouble.
func outageKind(r slog.Record) (kind string, ok bool) {
	if r.Level < slog.LevelError {
		return "", false
	}
	kind = r.Message
	r.Attrs(func(a slog.Attr) bool {
		switch err, isError := a.Value.Any().(error); {
		case a.Key == "cause" && isError:
			ok = errors.Is(err, store.ErrUnavailable)
		case a.Key == "chore":
			kind += ": " + a.Value.String()
		}
		return true
	})
	return kind, ok
}

func (h outageHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return outageHandler{h.Handler.WithAttrs(attrs), h.said}
}

func (h outageHandler) WithGroup(name string) slog.Handler {
	return outageHandler{h.Handler.WithGroup(name), h.said}
}
