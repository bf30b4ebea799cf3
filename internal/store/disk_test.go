package store_test

// Disks of the tests' own: a SQLite VFS over the real one, put under a store that is opened as the server
// opens it.

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/ncruces/go-sqlite3/vfs"
)

// disk wraps each file as it is opened.
type disk struct {
	vfs.VFS
	wrap func(f diskFile, name string) vfs.File
}

func (d *disk) Open(name string, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	return nil, flags, fmt.Errorf("open %s by name alone", name)
}

// OpenFilename implements vfs.VFSFilename.
func (d *disk) OpenFilename(name *vfs.Filename, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	f, flags, err := d.VFS.(vfs.VFSFilename).OpenFilename(name, flags)
	if err != nil {
		return nil, flags, err
	}
	return d.wrap(diskFile{f}, filepath.Base(name.String())), flags, nil
}

type diskFile struct{ vfs.File }

// SharedMemory and Unwrap let the driver reach what the real file can do besides.
func (f diskFile) SharedMemory() vfs.SharedMemory {
	return f.File.(vfs.FileSharedMemory).SharedMemory()
}

func (f diskFile) Unwrap() vfs.File { return f.File }

// insertDisk puts the disk under a database and returns its path; the file itself is latchkey.db in the test's
// folder. The store makes the file by its path and SQLite opens it as a URI, which alone can name a VFS:
// links see to it that these are the same files.
func insertDisk(t *testing.T, name string, d vfs.VFS) (path string) {
	t.Helper()
	t.Chdir(t.TempDir())
	vfs.Register(name, d)
	t.Cleanup(func() { vfs.Unregister(name) })
	path = "file:latchkey.db?vfs=" + name
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Symlink("latchkey.db"+suffix, path+suffix); err != nil {
			t.Fatal(err)
		}
	}
	return path
}
