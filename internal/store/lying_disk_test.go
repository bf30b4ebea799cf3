package store_test

// A disk that loses what was not synced. Files lie on a real file system; each fsync copies the file,
// as it then is, to a second folder, and a power cut leaves only that folder. Nothing that the store,
// opened as the server opens it, has acknowledged may be missing there; with synchronous=NORMAL
// something must be, or the rig shows nothing.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/vfs"

	"latchkey/internal/authtest"
	"latchkey/internal/store"
)

type lyingDisk struct {
	disk
	platter string // what a power cut leaves

	mu    sync.Mutex // a power cut has one moment
	syncs int        // of the log
}

func newLyingDisk(t *testing.T) *lyingDisk {
	d := &lyingDisk{platter: t.TempDir()}
	d.disk = disk{vfs.Find(""), func(f diskFile, name string) vfs.File { return &lyingFile{f, d, name} }}
	return d
}

// Delete reaches the platter at once, which takes nothing from what was synced.
func (d *lyingDisk) Delete(name string, syncDir bool) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := os.Remove(filepath.Join(d.platter, filepath.Base(name))); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return d.VFS.Delete(name, syncDir)
}

type lyingFile struct {
	diskFile
	disk *lyingDisk
	name string
}

// Sync brings this file, and no other, to the platter.
func (f *lyingFile) Sync(flags vfs.SyncFlag) error {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if err := f.File.Sync(flags); err != nil {
		return err
	}
	size, err := f.Size()
	if err != nil {
		return err
	}
	content := make([]byte, size)
	if _, err := f.ReadAt(content, 0); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if strings.HasSuffix(f.name, "-wal") {
		f.disk.syncs++
	}
	return os.WriteFile(filepath.Join(f.disk.platter, f.name), content, 0o600)
}

// cut is what a power cut leaves, in a folder of its own.
func (d *lyingDisk) cut(t *testing.T) string {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	left := t.TempDir()
	if err := os.CopyFS(left, os.DirFS(d.platter)); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(left, "latchkey.db")
}

func TestLyingDisk(t *testing.T) {
	for _, test := range []struct {
		name, set string
		loses     bool
	}{
		{"as the server sets it", "", false},
		{"NORMAL", "PRAGMA synchronous=NORMAL", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			disk := newLyingDisk(t)
			path := insertDisk(t, fmt.Sprintf("lying-%t", test.loses), disk)
			s := authtest.Database{Engine: "sqlite", Options: store.Options{Path: path}}.Open(t)
			if err := s.EachConn(ctx, func(tx *store.Tx) error { return tx.Script(test.set) }); err != nil {
				t.Fatal(err)
			}
			lost, acknowledged := lostByPowerCuts(t, s, disk, path)
			t.Logf("%d transactions in %d syncs of the log; %d missing after power cuts", acknowledged, disk.syncs, lost)
			if (lost > 0) != test.loses {
				t.Errorf("%d acknowledged transactions lost, want a loss: %t", lost, test.loses)
			}
			if disk.syncs >= acknowledged {
				t.Errorf("%d transactions took %d syncs of the log: no group was ever formed", acknowledged, disk.syncs)
			}
		})
	}
}

// lostByPowerCuts lets several write at once, pulls the plug every so often, and counts what the platter
// lacks each time of what was acknowledged by then. After every third cut the log is written into the
// database file, and begins anew.
func lostByPowerCuts(t *testing.T, s *store.Store, disk *lyingDisk, path string) (lost, acknowledged int) {
	t.Helper()
	const writers, each, every = 8, 40, 23
	done := make(chan [2]string, writers*each) // ids of a user and its session
	var all sync.WaitGroup
	for range writers {
		all.Go(func() {
			for range each {
				u := newUser()
				session := newSession(u.ID)
				err := s.Write(ctx, func(tx *store.Tx) error {
					err := tx.InsertUser(u)
					tx.InsertSession(session)
					return err
				})
				if err != nil {
					t.Error(err)
					return
				}
				done <- [2]string{u.ID, session.ID}
			}
		})
	}
	go func() {
		all.Wait()
		close(done)
	}()
	var known [][2]string
	for pair := range done {
		known = append(known, pair)
		if len(known)%every != 0 {
			continue
		}
		lost += missing(t, disk.cut(t), known)
		if len(known)%(3*every) == 0 {
			checkpoint(t, path)
		}
	}
	return lost, len(known)
}

// checkpoint is another process's.
func checkpoint(t *testing.T, path string) {
	t.Helper()
	conn, err := sqlite3.OpenFlags(path, sqlite3.OPEN_READWRITE)
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(conn.Exec("PRAGMA busy_timeout=5000"), conn.Exec("PRAGMA wal_checkpoint(TRUNCATE)"), conn.Close())
	if err != nil {
		t.Fatal(err)
	}
}

// missing opens what a power cut left, as a restart would, and counts the transactions that are not there.
func missing(t *testing.T, left string, known [][2]string) (n int) {
	t.Helper()
	s, err := store.Open(context.Background(), store.Options{Path: left})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	err = s.Read(ctx, func(tx *store.Tx) error {
		if found, err := tx.HasTable("sessions"); err != nil || !found {
			n = len(known)
			return err
		}
		for _, ids := range known {
			_, user := tx.UserByID(ids[0])
			_, session := tx.SessionByID(ids[1])
			if isNotFound(user) != isNotFound(session) {
				t.Errorf("half of a transaction is there: user %v, session %v", user, session)
			}
			if isNotFound(user) {
				n++
			} else if err := errors.Join(user, session); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}
