package store_test

// SQLite's own: settings of each connection, files nobody else may read, errors and their meaning,
// copies made while it is in use.

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/ncruces/go-sqlite3"

	"latchkey/internal/authtest"
	"latchkey/internal/store"
)

// Drivers differ in their defaults, and a misspelt pragma is silently ignored.
func TestPragmasOnEachConnection(t *testing.T) {
	s := authtest.SQLite(t).Open(t)
	conns := 0
	err := s.EachConn(ctx, func(tx *store.Tx) error {
		conns++
		for name, want := range map[string]string{
			"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "busy_timeout": "2000", "temp_store": "2", "wal_autocheckpoint": "15000", "secure_delete": "1",
		} {
			got, err := store.Column[string](tx, "PRAGMA "+name)
			if err != nil {
				return err
			}
			if diff := cmp.Diff([]string{want}, got); diff != "" {
				t.Errorf("connection %d, %s (-want +got):\n%s", conns, name, diff)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if conns < 5 {
		t.Errorf("%d connections, want a writer and several readers", conns)
	}
}

// modes are those of the files in a folder.
func modes(t *testing.T, dir string) map[string]fs.FileMode {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]fs.FileMode{}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		found[e.Name()] = info.Mode()
	}
	return found
}

// I14: whatever the umask, and whatever the mode a restored file came with.
func TestFilesAreTheOwnersAlone(t *testing.T) {
	old := syscall.Umask(0)
	defer syscall.Umask(old)
	db := authtest.SQLite(t)
	dir := filepath.Dir(db.Options.Path)
	want := map[string]fs.FileMode{"latchkey.db": 0o600, "latchkey.db-wal": 0o600, "latchkey.db-shm": 0o600}
	for range 2 {
		s := db.Open(t)
		addUser(t, s)
		if diff := cmp.Diff(want, modes(t, dir)); diff != "" {
			t.Errorf("in use (-want +got):\n%s", diff)
		}
		if err := s.Backup(ctx, filepath.Join(dir, "copy")); err != nil {
			t.Fatal(err)
		}
		want["copy"] = 0o600
		if diff := cmp.Diff(want, modes(t, dir)); diff != "" {
			t.Errorf("with a copy (-want +got):\n%s", diff)
		}
		delete(want, "copy")
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(os.Chmod(db.Options.Path, 0o644), os.Remove(filepath.Join(dir, "copy"))); err != nil {
			t.Fatal(err)
		}
	}
}

// What is deleted is nowhere in the files, once the log has been copied back: neither in what a row left
// behind, nor in a page that is free.
func TestDeletedDataIsGoneFromTheFiles(t *testing.T) {
	db := authtest.SQLite(t)
	s := db.Open(t)
	var gone []store.User
	for range 50 {
		u := addUser(t, s)
		gone = append(gone, u)
		addSession(t, s, u.ID)
	}
	kept := addUser(t, s)
	for _, u := range gone {
		write(t, s, func(tx *store.Tx) error {
			_, sessions := tx.Exec(`DELETE FROM sessions WHERE user_id = $1`, u.ID)
			_, user := tx.Exec(`DELETE FROM users WHERE id = $1`, u.ID)
			return errors.Join(sessions, user)
		})
	}
	if err := s.Close(); err != nil { // which copies the log back, and removes it
		t.Fatal(err)
	}
	found, err := filepath.Glob(db.Options.Path + "*")
	if err != nil {
		t.Fatal(err)
	}
	var bytes []byte
	for _, file := range found {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		bytes = append(bytes, content...)
	}
	if !strings.Contains(string(bytes), kept.Email) {
		t.Fatal("the address of an account that is there is not found: the search is wrong")
	}
	for _, u := range gone {
		if strings.Contains(string(bytes), u.Email) {
			t.Errorf("%s was deleted and is in the file", u.Email)
		}
	}
}

// A file that is removed, or replaced as by a careless restore, takes no write that would be lost with the
// process; reading goes on. Put back, it is written again.
func TestFilesThatAreNotInPlaceAreNotWritten(t *testing.T) {
	for _, suffix := range []string{"", "-wal", "-shm"} {
		for name, with := range map[string]func(file string) error{
			"removed":  func(string) error { return nil },
			"replaced": func(file string) error { return os.WriteFile(file, []byte("another"), 0o600) },
		} {
			t.Run("latchkey.db"+suffix+" "+name, func(t *testing.T) {
				db := authtest.SQLite(t)
				s := db.Open(t)
				u := addUser(t, s)
				file := db.Options.Path + suffix
				if err := errors.Join(os.Rename(file, file+".aside"), with(file)); err != nil {
					t.Fatal(err)
				}
				err := s.Write(ctx, func(tx *store.Tx) error { return tx.InsertUser(newUser()) })
				if !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), file) {
					t.Errorf("write: got %v, want ErrUnavailable that names the file", err)
				}
				if got := userByID(t, s, u.ID); got.Email != u.Email {
					t.Errorf("read %q", got.Email)
				}
				if err := os.Rename(file+".aside", file); err != nil {
					t.Fatal(err)
				}
				write(t, s, func(tx *store.Tx) error { return tx.InsertUser(newUser()) })
			})
		}
	}
}

// Readers never wait for the writer, nor for a lock on it.
func TestReadsDoNotWaitForWrites(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		u := addUser(t, s)
		began := make(chan time.Duration, 1)
		write(t, s, func(tx *store.Tx) error {
			if err := tx.SetNames(u.ID, "Half", "Done"); err != nil {
				return err
			}
			start := time.Now()
			err := s.Read(ctx, func(tx *store.Tx) error {
				got, err := tx.UserByID(u.ID)
				if got.FirstName != u.FirstName {
					t.Errorf("read what is not committed: %q", got.FirstName)
				}
				return err
			})
			began <- time.Since(start)
			return err
		})
		if took := <-began; took > 4*time.Second {
			t.Errorf("the read took %v", took)
		}
		if got := userByID(t, s, u.ID); got.FirstName != "Half" {
			t.Errorf("after the commit: %q", got.FirstName)
		}
	})
}

// The driver's codes, extended ones too, as the database really sends them.
func TestSQLiteErrors(t *testing.T) {
	s := authtest.SQLite(t).Open(t)
	scratch(t, s)
	write(t, s, insert("a"))
	for _, c := range []struct {
		name string
		do   func(*store.Tx) error
		want error // nil: a defect of ours, of no other meaning
		code sqlite3.ErrorCode
	}{
		{"primary key", insert("a"), store.ErrConflict, sqlite3.CONSTRAINT},
		{"unique", func(tx *store.Tx) error {
			return tx.Script(`CREATE TABLE u (v TEXT UNIQUE); INSERT INTO u VALUES ('x'), ('x')`)
		}, store.ErrConflict, sqlite3.CONSTRAINT},
		{"not null", func(tx *store.Tx) error {
			_, err := tx.Exec(`INSERT INTO scratch (name) VALUES (NULL)`)
			return err
		}, nil, sqlite3.CONSTRAINT},
		{"no such table", func(tx *store.Tx) error { _, err := tx.Exec(`DELETE FROM nothing`); return err }, nil, sqlite3.ERROR},
		{"disk full", insert(strings.Repeat("x", 1<<20)), store.ErrUnavailable, sqlite3.FULL},
	} {
		if c.code == sqlite3.FULL {
			limit(t, s, 1)
		}
		err := s.Write(ctx, c.do)
		if !errors.Is(err, c.code) {
			t.Errorf("%s: got %v, want the driver's %v", c.name, err, c.code)
		}
		for _, meaning := range []error{store.ErrConflict, store.ErrUnavailable, store.ErrNotFound} {
			if got, want := errors.Is(err, meaning), errors.Is(c.want, meaning); got != want {
				t.Errorf("%s: %v is %v: %v, want %v", c.name, err, meaning, got, want)
			}
		}
	}
	err := s.Write(ctx, func(tx *store.Tx) error { _, err := tx.Exec(`DELETE FROM scratch WHERE name = $1`, 1.5); return err })
	if err == nil || errors.Is(err, store.ErrUnavailable) {
		t.Errorf("an argument we never bind: got %v, want a defect of ours", err)
	}
}

// The same for codes that no test can bring about: each is a plain and an extended code, wrapped.
func TestSQLiteErrorMeanings(t *testing.T) {
	for _, c := range []struct {
		err  error
		want error
	}{
		{sqlite3.BUSY, store.ErrUnavailable},
		{sqlite3.BUSY_SNAPSHOT, store.ErrUnavailable},
		{sqlite3.BUSY_TIMEOUT, store.ErrUnavailable},
		{sqlite3.LOCKED, store.ErrUnavailable},
		{sqlite3.IOERR_FSYNC, store.ErrUnavailable},
		{sqlite3.IOERR_WRITE, store.ErrUnavailable},
		{sqlite3.READONLY, store.ErrUnavailable},
		{sqlite3.CANTOPEN, store.ErrUnavailable},
		{sqlite3.CORRUPT, store.ErrUnavailable},
		{sqlite3.CORRUPT_INDEX, store.ErrUnavailable},
		{sqlite3.NOTADB, store.ErrUnavailable},
		{sqlite3.PROTOCOL, store.ErrUnavailable},
		{sqlite3.CONSTRAINT_UNIQUE, store.ErrConflict},
		{sqlite3.CONSTRAINT_PRIMARYKEY, store.ErrConflict},
		{sqlite3.CONSTRAINT_NOTNULL, nil},
		{sqlite3.CONSTRAINT_FOREIGNKEY, nil},
		{sqlite3.ERROR, nil},
		{sqlite3.ERROR_MISSING_COLLSEQ, nil},
		{sqlite3.MISUSE, nil},
		{sqlite3.RANGE, nil},
		{errors.New("not the driver's"), nil},
	} {
		got := store.SQLiteError(fmt.Errorf("prepare: %w", c.err))
		if !errors.Is(got, c.err) {
			t.Errorf("%v: lost in %v", c.err, got)
		}
		for _, meaning := range []error{store.ErrConflict, store.ErrUnavailable} {
			if is, want := errors.Is(got, meaning), errors.Is(c.want, meaning); is != want {
				t.Errorf("%v: is %v: %v, want %v", c.err, meaning, is, want)
			}
		}
	}
	if err := store.SQLiteError(nil); err != nil {
		t.Errorf("nil became %v", err)
	}
}

// Each user comes with two sessions: a copy that has a user without them is of no single moment.
func TestBackupWhileWriting(t *testing.T) {
	db := authtest.SQLite(t)
	s := db.Open(t)
	stop, written := make(chan struct{}), make(chan int, 1)
	go func() {
		for n := 0; ; n++ {
			select {
			case <-stop:
				written <- n
				return
			default:
			}
			u := newUser()
			err := s.Write(ctx, func(tx *store.Tx) error {
				err := tx.InsertUser(u)
				tx.InsertSession(newSession(u.ID))
				tx.InsertSession(newSession(u.ID))
				return err
			})
			if err != nil {
				t.Errorf("write beside a backup: %v", err)
			}
		}
	}()
	count := func(s *store.Store) (n [2]int64) {
		return read(t, s, func(tx *store.Tx) (n [2]int64, err error) {
			both, err := store.Column[int64](tx, `SELECT count(*) FROM users UNION ALL SELECT count(*) FROM sessions`)
			copy(n[:], both)
			return n, err
		})
	}
	folder := t.TempDir()
	var copies []string
	for i := range 5 {
		time.Sleep(20 * time.Millisecond)
		least := count(s)[0]
		file := filepath.Join(folder, fmt.Sprintf("it's %d.db", i))
		if err := s.Backup(ctx, file); err != nil {
			t.Fatal(err)
		}
		copies = append(copies, file)
		got := count(authtest.Database{Engine: "sqlite", Options: store.Options{Path: file}}.Open(t))
		if got[0] < least || got[1] != 2*got[0] {
			t.Errorf("copy %d has %d users, at least %d were there, and %d sessions", i, got[0], least, got[1])
		}
	}
	close(stop)
	<-written
	if err := s.Backup(ctx, copies[0]); err == nil || !strings.Contains(err.Error(), copies[0]) {
		t.Errorf("over an existing file: got %v", err)
	}
	if err := s.Backup(ctx, filepath.Join(folder, "no such folder", "copy")); err == nil {
		t.Error("into no folder: no error")
	}
	if left, _ := filepath.Glob(filepath.Join(folder, "*.partial*")); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

func TestOpenSQLiteSaysWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text")
	if err := os.WriteFile(text, []byte(strings.Repeat("not a database ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]store.Options{
		"no folder":       {Path: filepath.Join(dir, "none", "latchkey.db")},
		"a folder":        {Path: dir},
		"not a database":  {Path: text},
		"another engine":  {URL: "mysql://localhost/latchkey"},
		"no PostgreSQL":   {URL: "postgres:///latchkey?host=" + dir},
		"not a valid URL": {URL: "postgres://[::1"},
	} {
		began := time.Now()
		s, err := store.Open(ctx, o)
		if err == nil {
			t.Errorf("%s: opened", name)
			_ = s.Close()
		}
		if took := time.Since(began); took > 4*time.Second {
			t.Errorf("%s: the refusal took %v", name, took)
		}
	}
}

// A name is a name, whatever is in it.
func TestOpenSQLiteUnderOddNames(t *testing.T) {
	for _, name := range []string{"with space.db", "100%25?mode=memory&x#y.db", "file:x.db", ":memory:"} {
		path := filepath.Join(t.TempDir(), name)
		s := authtest.Database{Engine: "sqlite", Options: store.Options{Path: path}}.Open(t)
		addUser(t, s)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(path); err != nil || info.Size() == 0 {
			t.Errorf("%q: %v", name, err)
		}
	}
}
