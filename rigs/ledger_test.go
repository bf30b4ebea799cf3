package rigs

// What was acknowledged, as the parent remembers it: in memory for the checks, in a file for whoever
// looks into a failure (go test -artifacts keeps it).

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// ledger counts the operations of a crash run and writes each down.
type ledger struct {
	mu           sync.Mutex
	file         *os.File
	out          *bufio.Writer
	began        time.Time
	cycle        int
	acknowledged int
	unanswered   int
	lost         int // promises found broken
	byKind       map[string]int
}

func newLedger(t testing.TB) *ledger {
	t.Helper()
	f, err := os.Create(filepath.Join(t.ArtifactDir(), "operations.log"))
	if err != nil {
		t.Fatal(err)
	}
	l := &ledger{file: f, out: bufio.NewWriter(f), began: time.Now(), byKind: map[string]int{}}
	t.Cleanup(func() {
		if err := l.close(); err != nil {
			t.Errorf("write ledger: %v", err)
		}
	})
	return l
}

func (l *ledger) close() error {
	if err := l.out.Flush(); err != nil {
		return err
	}
	return l.file.Close()
}

// note writes an operation down when its outcome is known: acknowledged, or swallowed by the crash.
// The line is returned for the account's own history.
func (l *ledger) note(who, kind, about string, err error) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	said := "acknowledged"
	if err != nil {
		said = "unanswered: " + err.Error()
		l.unanswered++
	} else {
		l.acknowledged++
		l.byKind[kind]++
	}
	line := fmt.Sprintf("%9.3f cycle %d %s %s %s: %s", time.Since(l.began).Seconds(), l.cycle, who, kind, about, said)
	fmt.Fprintln(l.out, line)
	return line
}

func (l *ledger) broken() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lost++
}

func (l *ledger) nextCycle() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cycle++
}

func (l *ledger) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return fmt.Sprintf("%d kills, %d operations acknowledged %v, %d unanswered, %d promises broken, in %.1f s",
		l.cycle, l.acknowledged, l.byKind, l.unanswered, l.lost, time.Since(l.began).Seconds())
}

// mustHaveSeen: a run in which nothing of a kind was acknowledged proves nothing about it.
func (l *ledger) mustHaveSeen(t *testing.T, kinds ...string) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, kind := range kinds {
		if l.byKind[kind] == 0 {
			t.Errorf("no %s was acknowledged", kind)
		}
	}
}

// mustHold: a run that lost something has failed, and one that is shorter than was asked for proves too little.
func (l *ledger) mustHold(t *testing.T, want crashes) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lost != 0 || l.cycle < want.kills || l.acknowledged < want.acknowledged {
		t.Errorf("%d kills, %d operations acknowledged, %d promises broken; want at least %d, at least %d, and none",
			l.cycle, l.acknowledged, l.lost, want.kills, want.acknowledged)
	}
}
