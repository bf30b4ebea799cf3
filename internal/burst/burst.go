// Package burst lets one line of a kind into the log in a minute: what strangers can cause at will, such as
// connections that net/http gives up before there is a request or requests of a client that is set up otherwise than
// we are, and what happens to everybody while something is away, must not fill the log.
package burst

import (
	"bytes"
	"context"
	"log/slog"
	"sync"
	"time"
)

const window = time.Minute

// Limiter remembers when a line of each kind was written. Kinds are words of ours, never a caller's, so there are few.
type Limiter struct {
	mu    sync.Mutex
	kinds map[string]written
}

type written struct {
	at      time.Time // of the last line
	skipped int       // since then
}

// Take says whether a line of that kind is due, and how many were left out since the last.
func (t *Limiter) Take(kind string, now time.Time) (skipped int, due bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	last, known := t.kinds[kind]
	if since := now.Sub(last.at); known && since >= 0 && since < window { // a clock that is put back silences nothing
		last.skipped++
		t.kinds[kind] = last
		return 0, false
	}
	if t.kinds == nil {
		t.kinds = map[string]written{}
	}
	t.kinds[kind] = written{at: now}
	return last.skipped, true
}

// end forgets every kind, and returns how many lines of each are still untold.
func (t *Limiter) end() map[string]written {
	t.mu.Lock()
	defer t.mu.Unlock()
	untold := t.kinds
	t.kinds = nil
	return untold
}

// Skipped is how a line says how many of its kind were left out before it.
func Skipped(n int) slog.Attr { return slog.Int("skipped", n) }

// Log logs the first line of a kind at once; those of the following minute are counted, and the count comes with
// the next line or at the end. As a writer it is a http.Server's ErrorLog.
type Log struct {
	log     *slog.Logger
	now     func() time.Time
	limiter Limiter
}

func New(log *slog.Logger, now func() time.Time) *Log { return &Log{log: log, now: now} }

// kindOf is a line as far as net/http's own words go: an address begins with a digit or a bracket. So
// there are no more kinds than sentences in net/http, whoever calls.
func kindOf(line []byte) string {
	if i := bytes.IndexAny(line, "[0123456789"); i >= 0 {
		line = line[:i]
	}
	return string(line)
}

// Write takes one line, as log.Logger hands them on.
func (l *Log) Write(line []byte) (int, error) {
	l.Warn(kindOf(line), string(bytes.TrimSpace(line)))
	return len(line), nil
}

// Warn logs message, unless another of its kind was logged within the minute.
func (l *Log) Warn(kind, message string, attrs ...slog.Attr) {
	if skipped, due := l.limiter.Take(kind, l.now()); due {
		l.say(message, skipped, attrs)
	}
}

// End tells what is still untold.
func (l *Log) End() {
	for kind, last := range l.limiter.end() {
		if last.skipped > 0 {
			l.say(kind+"…", last.skipped, nil)
		}
	}
}

func (l *Log) say(line string, skipped int, attrs []slog.Attr) {
	if skipped > 0 {
		attrs = append(attrs, Skipped(skipped))
	}
	l.log.LogAttrs(context.Background(), slog.LevelWarn, line, attrs...)
}
