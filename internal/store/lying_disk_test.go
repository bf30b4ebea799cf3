package store

// A disk that loses what was not synced. Files lie on a real file system; each fsync copies the file,
// as it then is, to a second folder, and a power cut leaves only that folder. With synchronous=FULL no
// acknowledged transaction may be missing from it; with NORMAL some must be, or the rig shows nothing.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/ncruces/go-sqlite3/vfs"
)

// lyingDisk is a SQLite VFS over the real one.
type lyingDisk struct {
	vfs.VFS
	platter string // what a power cut leaves
}

func (d lyingDisk) Open(name string, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	return nil, flags, fmt.Errorf("open %s by name alone", name)
}

// OpenFilename implements vfs.VFSFilename.
func (d lyingDisk) OpenFilename(name *vfs.Filename, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	f, flags, err := d.VFS.(vfs.VFSFilename).OpenFilename(name, flags)
	if err != nil {
		return nil, flags, err
	}
	return &lyingFile{f, filepath.Join(d.platter, filepath.Base(name.String()))}, flags, nil
}

// Delete reaches the platter at once, which takes nothing from what was synced.
func (d lyingDisk) Delete(name string, syncDir bool) error {
	if err := os.Remove(filepath.Join(d.platter, filepath.Base(name))); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return d.VFS.Delete(name, syncDir)
}

type lyingFile struct {
	vfs.File
	platter string
}

// Sync brings this file, and no other, to the platter.
func (f *lyingFile) Sync(flags vfs.SyncFlag) error {
	if err := f.File.Sync(flags); err != nil {
		return err
	}
	size, err := f.Size()
	if err != nil {
		return err
	}
	content := make([]byte, size)
	if _, err := f.ReadAt(content, 0); err != nil && err != io.EOF {
		return err
	}
	return os.WriteFile(f.platter, content, 0o600)
}

// SharedMemory and Unwrap let the driver reach what the real file can do besides.
func (f *lyingFile) SharedMemory() vfs.SharedMemory {
	return f.File.(vfs.FileSharedMemory).SharedMemory()
}

func (f *lyingFile) Unwrap() vfs.File { return f.File }

func TestLyingDisk(t *testing.T) {
	for _, test := range []struct {
		synchronous string
		loses       bool
	}{{"FULL", false}, {"NORMAL", true}} {
		t.Run(test.synchronous, func(t *testing.T) {
			lost := lostByPowerCut(t, test.synchronous)
			t.Logf("synchronous=%s: %d of the acknowledged transactions lost", test.synchronous, lost)
			if (lost > 0) != test.loses {
				t.Errorf("lost %d, want a loss: %t", lost, test.loses)
			}
		})
	}
}

// lostByPowerCut writes, pulls the plug after every few acknowledged transactions, and counts what the
// platter lacks each time.
func lostByPowerCut(t *testing.T, synchronous string) (lost int) {
	const writes, every = 60, 7
	work, platter := t.TempDir(), t.TempDir()
	name := "lying-" + synchronous
	vfs.Register(name, lyingDisk{vfs.Find(""), platter})
	t.Cleanup(func() { vfs.Unregister(name) })

	path := filepath.Join(work, "latchkey.db")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	conn, err := openSQLiteConn("file:" + path + "?vfs=" + name)
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.conn.Exec("PRAGMA synchronous=" + synchronous); err != nil {
		t.Fatal(err)
	}
	w := newSQLiteWriter(conn)
	t.Cleanup(func() {
		if err := w.close(); err != nil {
			t.Error(err)
		}
	})
	ctx := context.Background()
	if err := w.submit(ctx, func(q querier) error { return q.script(ctx, "CREATE TABLE acknowledged (n BIGINT)") }); err != nil {
		t.Fatal(err)
	}
	for n := range int64(writes) {
		err := w.submit(ctx, func(q querier) error {
			_, err := q.exec(ctx, "INSERT INTO acknowledged (n) VALUES ($1)", n)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if n%every == 0 {
			lost += int(n) + 1 - onPlatter(t, platter)
		}
	}
	return lost
}

// onPlatter opens a copy of what the power cut left, as a restart would, and counts the transactions.
func onPlatter(t *testing.T, platter string) (n int) {
	t.Helper()
	left := t.TempDir()
	if err := os.CopyFS(left, os.DirFS(platter)); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(left, "latchkey.db")
	f, err := os.OpenFile(path, os.O_CREATE, 0o600) // nothing may have reached the platter yet
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	conn, err := openSQLiteConn(path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.close()
	ctx := context.Background()
	if found, err := conn.hasTable(ctx, "acknowledged"); err != nil || !found {
		return 0
	}
	err = conn.query(ctx, func(scan scanner) error {
		var count int64
		err := scan(&count)
		n = int(count)
		return err
	}, "SELECT count(*) FROM acknowledged")
	if err != nil {
		t.Fatal(err)
	}
	return n
}
