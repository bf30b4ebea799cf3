package server

// What net/http itself complains about: connections it gives up before there is a request. Strangers
// cause these at will, each failed TLS handshake one, so a burst of them must not fill the log.

import (
	"bytes"
	"log/slog"
	"sync"
	"time"
)

const burstWindow = time.Minute

// burstLog is the writer of a http.Server's ErrorLog. The first line of a kind is logged at once; those
// of the following minute are counted, and the count comes with the next line or at the end.
type burstLog struct {
	log *slog.Logger
	now func() time.Time

	mu    sync.Mutex
	kinds map[string]*burst
}

// burst is what happens to the lines of one kind.
type burst struct {
	until   time.Time // when the next line is logged
	skipped int       // since the last line that was
}

func newBurstLog(log *slog.Logger, now func() time.Time) *burstLog {
	return &burstLog{log: log, now: now, kinds: map[string]*burst{}}
}

// kindOf is a line as far as net/http's own words go: an address begins with a digit or a bracket. So
// there are no more kinds than sentences in net/http, whoever calls.
func kindOf(line []byte) string {
	if i := bytes.IndexAny(line, "[0123456789"); i >= 0 {
		line = line[:i]
	}
	return string(line)
}

// Write takes one line, as log.Logger hands them on.
func (l *burstLog) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	kind, now := kindOf(line), l.now()
	b := l.kinds[kind]
	if b == nil {
		b = &burst{}
		l.kinds[kind] = b
	}
	if now.Before(b.until) {
		b.skipped++
		return len(line), nil
	}
	l.say(string(bytes.TrimSpace(line)), b.skipped)
	*b = burst{until: now.Add(burstWindow)}
	return len(line), nil
}

// end tells what is still untold.
func (l *burstLog) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for kind, b := range l.kinds {
		if b.skipped > 0 {
			l.say(kind+"…", b.skipped)
		}
	}
	clear(l.kinds)
}

func (l *burstLog) say(line string, skipped int) {
	if skipped == 0 {
		l.log.Warn(line)
		return
	}
	l.log.Warn(line, "skipped", skipped)
}
