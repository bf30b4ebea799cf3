package store_test

// A disk of which one call fails, or all from that one on: each call of a group's commit in turn, until a
// group meets no failure. Only who must may fail, nobody may be told what is not so, and once the disk is
// sound again the store works, without a restart.

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/vfs"

	"latchkey/internal/authtest"
	"latchkey/internal/store"
)

// failingDisk never syncs: what goes with the power is for lyingDisk to show.
type failingDisk struct {
	disk
	files []string // those that fail
	write error    // what a write that fails is answered
	stays bool     // what follows fails too

	mu    sync.Mutex
	armed bool
	calls int      // until the one that fails
	met   []string // calls that failed, by kind
	turn  int      // the caller whose function runs, or commit
	at    int      // the turn of the first that failed
}

// commit is nobody's turn.
const commit = -1

func newFailingDisk(stays bool, write error, files ...string) *failingDisk {
	d := &failingDisk{files: files, write: write, stays: stays, turn: commit}
	d.disk = disk{vfs.Find(""), func(f diskFile, name string) vfs.File { return &failingFile{f, d, name} }}
	return d
}

// arm makes the nth call from now on fail.
func (d *failingDisk) arm(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.armed, d.calls, d.met = true, n, nil
}

func (d *failingDisk) heal() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.armed = false
}

func (d *failingDisk) fails(file, call string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.armed || !slices.Contains(d.files, file) {
		return false
	}
	d.calls--
	if d.calls > 0 || d.calls < 0 && !d.stays {
		return false
	}
	if d.met == nil {
		d.at = d.turn
	}
	d.met = append(d.met, call)
	return true
}

// first says what failed first.
func (d *failingDisk) first() string {
	if d.at == commit {
		return d.met[0] + " in the commit"
	}
	return fmt.Sprint("turn ", d.at)
}

// lostACommit is whether the log failed in the commit itself. Nothing of it is there then. But where only
// the sync failed, all of it lies in the log until the next commit overwrites it, and a start finds it.
func (d *failingDisk) lostACommit() bool {
	return d.met != nil && d.at == commit && slices.Contains(d.files, log)
}

type failingFile struct {
	diskFile
	disk *failingDisk
	name string
}

// WriteAt fails half-way.
func (f *failingFile) WriteAt(p []byte, off int64) (int, error) {
	if f.disk.fails(f.name, "write") {
		n, _ := f.diskFile.WriteAt(p[:len(p)/2], off)
		return n, f.disk.write
	}
	return f.diskFile.WriteAt(p, off)
}

func (f *failingFile) Truncate(size int64) error {
	if f.disk.fails(f.name, "truncate") {
		return sqlite3.IOERR_TRUNCATE
	}
	return f.diskFile.Truncate(size)
}

func (f *failingFile) Sync(vfs.SyncFlag) error {
	if f.disk.fails(f.name, "sync") {
		return sqlite3.IOERR_FSYNC
	}
	return nil
}

// onFailingDisk opens a store that keeps so little in memory that it writes the log during the callers'
// turns, too. It has no schema but scratch.
func onFailingDisk(t *testing.T, d *failingDisk, set string) *store.Store {
	t.Helper()
	s, err := store.Open(ctx, store.Options{Path: insertDisk(t, "failing", d)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	if err := s.EachConn(ctx, func(tx *store.Tx) error { return tx.Script("PRAGMA cache_size=4;" + set) }); err != nil {
		t.Fatal(err)
	}
	scratch(t, s)
	return s
}

// large is more than the cache holds.
func large(name string) func(*store.Tx) error { return insert(name + strings.Repeat("x", 10<<10)) }

// steps does one after the other until one fails.
func steps(fns ...func(*store.Tx) error) func(*store.Tx) error {
	return func(tx *store.Tx) error {
		for _, fn := range fns {
			if err := fn(tx); err != nil {
				return err
			}
		}
		return nil
	}
}

var errRefused = errors.New("refused")

// group is eight callers who do what callers do. rows are what each leaves when all goes well, and answer
// what it is told.
var group = []struct {
	rows   string
	answer error
	do     func(*store.Tx) error
}{
	{"a1 a2", nil, steps(insert("a1"), insert("a2"))},
	{"b1 b2", nil, steps(large("b1"), insert("b2"))},
	{"c1", nil, insert("c1")},
	{"", errRefused, steps(large("d1"), func(*store.Tx) error { return errRefused })},
	{"", store.ErrConflict, steps(insert("e1"), insert("00"))},
	{"f1 f2", nil, func(tx *store.Tx) error { // does not look whether it failed
		_ = large("f1")(tx)
		_ = insert("f2")(tx)
		return nil
	}},
	{"g1 g2 g3", nil, func(tx *store.Tx) error { // SQLite can undo such a statement alone
		_, err := tx.Exec(`INSERT INTO scratch (name) SELECT 'g' || n || $1 FROM (SELECT 1 AS n UNION ALL SELECT 2 UNION ALL SELECT 3)`,
			strings.Repeat("x", 4<<10))
		return err
	}},
	{"h1", nil, insert("h1")},
}

// whole is what there is when all went well; 00 was there before.
const whole = "00 a1 a2 b1 b2 c1 f1 f2 g1 g2 g3 h1"

// The two files of a database.
const base, log = "latchkey.db", "latchkey.db-wal"

func TestAFailingDisk(t *testing.T) {
	inTheLog := []string{"turn 1", "turn 3", "turn 5", "turn 6", "write in the commit", "sync in the commit", "none, or all after a kill"}
	inTheFile := []string{"write in the commit", "truncate in the commit", "sync in the commit"}
	for _, test := range []struct {
		name  string
		file  string
		write error
		stays bool
		set   string
		meets []string // or the test shows too little
	}{
		{"a call to the log fails", log, sqlite3.IOERR_WRITE, false, "", inTheLog},
		{"the log is full for a moment", log, sqlite3.FULL, false, "", inTheLog},
		{"the log fails from a call on", log, sqlite3.IOERR_WRITE, true, "", inTheLog},
		{"the log is full from a call on", log, sqlite3.FULL, true, "", inTheLog},
		// A commit that finds the log long copies it back, once it is done.
		{"a call to the database fails", base, sqlite3.IOERR_WRITE, false, "PRAGMA wal_autocheckpoint=1", inTheFile},
		{"the database is full from a call on", base, sqlite3.FULL, true, "PRAGMA wal_autocheckpoint=1", inTheFile},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := newFailingDisk(test.stays, test.write, test.file)
			s := onFailingDisk(t, d, test.set)
			met := map[string]int{}
			for n := 1; ; n++ {
				afresh(t, s)
				d.arm(n)
				errs := together(t, s, turns(d)...)
				now := read(t, s, rows) // the disk may fail still
				d.heal()
				later := afterKill(t)
				want := judge(t, d, n, errs)
				if now != want || later != want && !(d.lostACommit() && later == whole) {
					t.Errorf("call %d (%v): there is %q, after a kill %q, want %q", n, d.met, now, later, want)
				}
				if d.met == nil {
					break
				}
				met[d.first()]++
				if later != now {
					met["none, or all after a kill"]++
					write(t, s, insert("zz"))
					if got := afterKill(t); got != want+" zz" {
						t.Errorf("call %d: after the next commit and a kill there is %q, want %q and zz", n, got, want)
					}
				}
			}
			t.Log(met)
			for _, what := range test.meets {
				if met[what] == 0 {
					t.Errorf("nothing failed as: %s", what)
				}
			}
			d.arm(1)
			if err := s.Close(); err != nil {
				t.Errorf("close on a failing disk: %v", err)
			}
			d.heal()
			again := authtest.Database{Engine: "sqlite", Options: store.Options{Path: base}}.Open(t)
			if got := read(t, again, rows); got != whole {
				t.Errorf("opened again, there is %q", got)
			}
		})
	}
}

// A checkpoint that fails has harmed nothing, and the next one does its work.
func TestACheckpointOnAFailingDisk(t *testing.T) {
	for _, stays := range []bool{false, true} {
		t.Run(fmt.Sprintf("stays %t", stays), func(t *testing.T) {
			d := newFailingDisk(stays, sqlite3.IOERR_WRITE, base, log)
			s := onFailingDisk(t, d, "")
			for n := 1; ; n++ {
				afresh(t, s)
				write(t, s, steps(large("b1"), insert("b2")))
				d.arm(n)
				err := s.Checkpoint()
				if errors.Is(err, store.ErrUnavailable) != (d.met != nil) {
					t.Errorf("call %d (%v): got %v", n, d.met, err)
				}
				now := read(t, s, rows)
				d.heal()
				if later := afterKill(t); now != "00 b1 b2" || later != now {
					t.Errorf("call %d (%v): there is %q, after a kill %q", n, d.met, now, later)
				}
				if d.met == nil {
					if n < 10 {
						t.Errorf("a checkpoint made %d calls only", n-1)
					}
					break
				}
				if err := s.Checkpoint(); err != nil {
					t.Errorf("call %d: the next checkpoint: %v", n, err)
				}
				if copied := from(t, base); copied != now {
					t.Errorf("call %d: the next checkpoint copied %q", n, copied)
				}
			}
		})
	}
}

// turns are the group's functions, each telling the disk whose turn it is.
func turns(d *failingDisk) (fns []func(*store.Tx) error) {
	for i, caller := range group {
		fns = append(fns, func(tx *store.Tx) error {
			d.turn = i
			defer func() { d.turn = commit }()
			return caller.do(tx)
		})
	}
	return fns
}

// judge compares what the callers were told with what they must be, and returns the rows there must be.
func judge(t *testing.T, d *failingDisk, n int, errs []error) string {
	t.Helper()
	there := []string{"00"}
	for i, caller := range group {
		want := caller.answer
		if d.lostACommit() || d.met != nil && (d.at == i || d.stays && d.at != commit) {
			want = store.ErrUnavailable
		}
		for _, err := range []error{nil, store.ErrUnavailable, errRefused, store.ErrConflict} {
			if errors.Is(errs[i], err) != errors.Is(err, want) {
				t.Errorf("call %d (%v, first in turn %d): caller %d was told %v, want %v", n, d.met, d.at, i, errs[i], want)
			}
		}
		if errs[i] == nil {
			there = append(there, strings.Fields(caller.rows)...)
		}
	}
	return strings.Join(there, " ")
}

// afresh leaves one row, in the file itself: so the store does all it must.
func afresh(t *testing.T, s *store.Store) {
	t.Helper()
	write(t, s, func(tx *store.Tx) error { return errors.Join(tx.Script("DELETE FROM scratch"), insert("00")(tx)) })
	if err := s.Checkpoint(); err != nil {
		t.Fatalf("checkpoint: %v", err)
	}
	if got := read(t, s, rows); got != "00" {
		t.Fatalf("there is %q", got)
	}
}

// What is in scratch, and nothing when SQLite finds the file damaged.
const rowsSQL = `SELECT group_concat(substr(name, 1, 2), ' ' ORDER BY name) FROM scratch, pragma_integrity_check WHERE integrity_check = 'ok'`

func rows(tx *store.Tx) (string, error) {
	found, err := store.Column[string](tx, rowsSQL)
	return strings.Join(found, ""), err
}

// afterKill is what is in scratch when the process is killed now and another one starts.
func afterKill(t *testing.T) string { return from(t, base, log) }

// from is what is in scratch by these files alone.
func from(t *testing.T, files ...string) string {
	t.Helper()
	left := t.TempDir()
	for _, name := range files {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(left, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	conn, err := sqlite3.Open(filepath.Join(left, base))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.Exec("PRAGMA synchronous=OFF"); err != nil {
		t.Fatal(err)
	}
	stmt, _, err := conn.Prepare(rowsSQL)
	if err != nil {
		t.Fatal(err)
	}
	defer stmt.Close()
	if !stmt.Step() {
		t.Fatal(stmt.Err())
	}
	return stmt.ColumnText(0)
}
