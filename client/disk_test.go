package client_test

// Files that cannot be written: what is held counts as what is kept (R8).

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"latchkey/api"
	"latchkey/client"
)

// disk is a file system of a few pages, of this test alone.
type disk struct {
	t   *testing.T
	dir string
}

// onADisk runs a test in a copy of this program that has mounts of its own, which end with it.
func onADisk(t *testing.T, test func(d disk)) {
	t.Helper()
	const marker = "LATCHKEY_TEST_DISK"
	dir := os.Getenv(marker)
	if dir == "" {
		t.Parallel()
		again := exec.CommandContext(soon(t), os.Args[0], "-test.run=^"+t.Name()+"$")
		again.Env = append(os.Environ(), marker+"="+t.TempDir())
		again.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
		out, err := again.CombinedOutput()
		if errors.Is(err, syscall.EPERM) && os.Getenv("CI") != "true" {
			t.Skipf("this machine does not let the tests mount a file system (run as root, with CAP_SYS_ADMIN): %v", err)
		}
		if err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	for _, err := range []error{
		syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""),
		syscall.Mount("tmpfs", dir, "tmpfs", 0, "mode=0700,size=64k"),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	test(disk{t, dir})
}

// fill takes all the room there is.
func (d disk) fill() {
	d.t.Helper()
	f, err := os.OpenFile(filepath.Join(d.dir, "filler"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		d.t.Fatal(err)
	}
	for err == nil {
		_, err = f.Write(make([]byte, 1024))
	}
	if !errors.Is(errors.Join(err, f.Close()), syscall.ENOSPC) {
		d.t.Fatal(err)
	}
}

// remount makes it one that can only be read, or written again.
func (d disk) remount(flags uintptr) {
	d.t.Helper()
	if err := syscall.Mount("tmpfs", d.dir, "tmpfs", syscall.MS_REMOUNT|flags, "mode=0700,size=64k"); err != nil {
		d.t.Fatal(err)
	}
}

// on is the program with its file on the disk, and what it writes to its user.
func (n *node) on(d disk) (client.App, *strings.Builder) {
	app, said := n.app(d.t, newPerson(d.t, ada)), &strings.Builder{}
	app.File, app.Out = filepath.Join(d.dir, "session.json"), said
	return app, said
}

// A full disk has room once the file is removed: the new tokens are there all the same.
func TestR8AFullDisk(t *testing.T) {
	onADisk(t, func(d disk) {
		n := newNode(t)
		app, _ := n.on(d)
		s := mustStart(t, app)
		d.fill()
		n.pass(n.until(t, app.File, 0))
		if token := mustToken(t, s); readFile(t, app.File).AccessToken != token {
			t.Error("the file has another token")
		}
		d.fill()
		if err := s.SignOut(soon(t)); err != nil || exists(app.File) || !exists(app.File+".ended") {
			t.Errorf("the sign-out: %v; in the folder there are %v", err, namesIn(t, d.dir))
		}
	})
}

// A folder that can only be read: the session goes on in memory, and is written as soon as that can be.
func TestR8AReadOnlyFolder(t *testing.T) {
	onADisk(t, func(d disk) {
		n := newNode(t)
		app, _ := n.on(d)
		s := mustStart(t, app)
		old := readFile(t, app.File)
		d.remount(syscall.MS_RDONLY)
		var token string
		for range 3 {
			n.pass(n.until(t, app.File, 0) + 20*time.Minute)
			if token = mustToken(t, s); n.whose(t, token) != ada {
				t.Error("it does not go on")
			}
		}
		if readFile(t, app.File) != old {
			t.Fatal("the folder could be written")
		}
		d.remount(0)
		if mustToken(t, s) != token || readFile(t, app.File).AccessToken != token {
			t.Error("it is not written when that can be")
		}
	})
}

// Ends counts what is held where the file cannot be written, and so does a sign-out, which says that the file is still
// there.
func TestR8EndsInAReadOnlyFolder(t *testing.T) {
	onADisk(t, func(d disk) {
		n := newNode(t)
		app, _ := n.on(d)
		s := mustStart(t, app)
		d.remount(syscall.MS_RDONLY)
		n.pass(n.until(t, app.File, 0))
		mustToken(t, s)
		if err := n.Service.RevokeSession(t.Context(), readFile(t, app.File).SessionID); err != nil {
			t.Fatal(err)
		}
		n.pass(20 * time.Minute)
		before := len(n.refreshes(""))
		if _, err := s.Token(soon(t)); client.CodeOf(err) != api.CodeInvalidGrant || !errors.Is(err, client.ErrSignedOut) {
			t.Errorf("it goes on: %v", err)
		}
		if sent := len(n.refreshes("")) - before; sent != 1 {
			t.Errorf("the old token of the file was sent, too: %d requests", sent)
		}
		if _, err := s.Token(soon(t)); !errors.Is(err, client.ErrSignedOut) {
			t.Errorf("it is back: %v", err)
		}

		d.remount(0)
		s = mustStart(t, app)
		d.remount(syscall.MS_RDONLY)
		if err := s.SignOut(soon(t)); !errors.Is(err, syscall.EROFS) {
			t.Errorf("the sign-out: %v", err)
		}
		if _, err := s.Token(soon(t)); !errors.Is(err, client.ErrSignedOut) {
			t.Errorf("it is back: %v", err)
		}
	})
}

// Where nothing can be kept somebody is signed in all the same, and is told.
func TestR8ASignInThatCannotBeKept(t *testing.T) {
	onADisk(t, func(d disk) {
		n := newNode(t)
		app, said := n.on(d)
		d.remount(syscall.MS_RDONLY)
		s := mustStart(t, app)
		n.pass(20 * time.Minute)
		if n.whose(t, mustToken(t, s)) != ada {
			t.Error("it does not go on")
		}
		if !strings.Contains(said.String(), "cannot be kept") || !strings.Contains(said.String(), "read-only") {
			t.Errorf("the user reads %q", said)
		}
	})
}

// What has run out, and can be neither renewed nor taken away, is in nobody's way.
func TestR8ASignInBesideARunOutFile(t *testing.T) {
	onADisk(t, func(d disk) {
		n := newNode(t)
		app, _ := n.on(d)
		app.ClientID = "third"
		mustStart(t, app)
		n.pass(n.until(t, app.File, -time.Second))
		d.remount(syscall.MS_RDONLY)
		s := mustStart(t, app)
		if n.whose(t, mustToken(t, s)) != ada {
			t.Error("nobody is signed in")
		}
	})
}

// A file that cannot be read is an error, before anybody is asked to sign in.
func TestAFileThatCannotBeRead(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	app := n.app(t, newPerson(t, ada))
	app.Open, app.Out = nobody, io.Discard
	if err := os.MkdirAll(app.File, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := client.SignIn(soon(t), app); !errors.Is(err, syscall.EISDIR) {
		t.Errorf("%v", err)
	}
}
