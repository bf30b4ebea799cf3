package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"latchkey/internal/auth"
	"latchkey/internal/store"
)

// In an outage each kind of error has a line a minute, which says what was left out; all else has its own.
func TestAnOutageHasALineAKindAndMinute(t *testing.T) {
	away := &auth.Error{Code: auth.CodeUnavailable, Cause: fmt.Errorf("%w: connect: no such host", store.ErrUnavailable)}
	for _, format := range []string{"json", "text"} {
		var out bytes.Buffer
		handler := newLog(format, &out).With("part", "worker").Handler()
		at := time.Date(2026, 11, 28, 22, 0, 0, 0, time.UTC)
		say := func(after time.Duration, level slog.Level, message string, attrs ...any) {
			t.Helper()
			r := slog.NewRecord(at.Add(after), level, message, 0)
			r.Add(attrs...)
			if err := handler.Handle(context.Background(), r); err != nil {
				t.Fatal(err)
			}
		}
		for i := range 280 {
			say(time.Duration(i)*200*time.Millisecond, slog.LevelError, "the outbox cannot be read", "cause", away)
		}
		for range 2 {
			say(0, slog.LevelError, "upkeep failed", "chore", "sweep", "cause", away)
			say(0, slog.LevelError, "upkeep failed", "chore", "read the keys", "cause", away)
			say(0, slog.LevelError, "a defect", "cause", errors.New("no outage"))
			say(0, slog.LevelWarn, "request failed", "cause", away)
		}
		say(61*time.Second, slog.LevelError, "the outbox cannot be read", "cause", away)
		say(62*time.Second, slog.LevelError, "the outbox cannot be read", "cause", away)
		text := out.String()
		for line, want := range map[string]int{"outbox": 2, "sweep": 1, "read the keys": 1, "a defect": 2, "request failed": 2} {
			if got := strings.Count(text, line); got != want {
				t.Errorf("%s: %d lines of %q, want %d:\n%s", format, got, line, want, text)
			}
		}
		if !strings.Contains(text, `skipped=279`) && !strings.Contains(text, `"skipped":279`) {
			t.Errorf("%s: what was left out is not told:\n%s", format, text)
		}
	}
}
