package rigs

// The data folder's disk is full: what needs to be written is answered 503, never a false 200, reading
// goes on, and freeing space is all that it takes to recover (I10, I11).

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"latchkey/rigs/stage"
)

// diskSize has room for what is written in all rounds: the accounts' sessions are never swept.
func diskSize(t *testing.T) int64 { return lane[int64](t, 32<<20, 32<<20, 128<<20) }

// smallDisk mounts a file system of a few MiB on a folder, for this test's thread and what it starts. The
// thread ends with the test and the mount with the last process that sees it, however that ends.
func smallDisk(t *testing.T, dir string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	runtime.LockOSThread() // for good: a thread in a namespace of its own must not serve others
	err := syscall.Unshare(syscall.CLONE_NEWNS)
	if err == nil {
		err = syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, "")
	}
	if err == nil {
		err = mountSmall(t, dir)
	}
	switch {
	case errors.Is(err, syscall.EPERM) && os.Getenv("CI") != "true":
		t.Skipf("this machine does not let the tests mount a file system (run as root, with CAP_SYS_ADMIN): %v", err)
	case err != nil:
		t.Fatalf("mount a small file system: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
}

// mountSmall mounts ext4 from a file, where the machine has what that takes, else a tmpfs, which knows
// neither blocks promised in advance nor a journal.
func mountSmall(t *testing.T, dir string) error {
	t.Helper()
	loop := mountLoop(t, dir)
	if loop == nil {
		t.Log("the small disk is an ext4 image")
		return nil
	}
	t.Logf("the small disk is a tmpfs, since an ext4 image cannot be mounted: %v", loop)
	return syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("mode=0700,size=%d", diskSize(t)))
}

func mountLoop(t *testing.T, dir string) error {
	t.Helper()
	image := filepath.Join(t.TempDir(), "disk.img")
	if err := os.WriteFile(image, nil, 0o600); err != nil {
		return err
	}
	if err := os.Truncate(image, diskSize(t)); err != nil {
		return err
	}
	for _, command := range [][]string{{"mkfs.ext4", "-q", "-m", "0", image}, {"mount", "-o", "loop", image, dir}} {
		if out, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("%v: %w: %s", command, err, out)
		}
	}
	return os.Chmod(dir, 0o700)
}

// fill takes all the space that is left.
func fill(t *testing.T, file string) {
	t.Helper()
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for block := make([]byte, 64<<10); err == nil; {
		_, err = f.Write(block)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("fill the disk: %v", err)
	}
}

func TestFullDisk(t *testing.T) {
	t.Parallel()
	p := stage.NewPost(t)
	n := stage.NewNode(t, stage.Settings{"SMTP_URL": p.URL(), "ACCESS_TTL": "12h", "SESSIONS_PER_USER": "10000"})
	smallDisk(t, n.Data)
	n.Start()
	cl, w := watch(n)
	o := &ordeal{node: n, ledger: newLedger(t), everybody: w}
	o.accounts = signUpAll(t, cl, p, o.ledger)
	o.bystanders = newBystanders(t, p, n.Client(), cl, 8)
	ballast := filepath.Join(n.Data, "ballast")
	rounds := lane(t, 2, 10, 60)
	for i := range rounds {
		o.ledger.nextCycle()
		db := openDatabase(t, n)
		db.exec("PRAGMA wal_checkpoint(TRUNCATE)") // a log that has room in its file needs none on the disk
		db.close()
		everybody := gather(o.accounts, o.bystanders)
		time.Sleep(300 * time.Millisecond)
		fill(t, ballast)
		full := time.Now()
		time.Sleep(700 * time.Millisecond)
		o.stillServes(t)
		freeing := time.Now()
		if err := os.Remove(ballast); err != nil {
			t.Fatal(err)
		}
		freed := time.Now()
		time.Sleep(300 * time.Millisecond)
		everybody.dismiss()
		during, after := w.within(full, freeing), w.within(freed, time.Now())
		// A transaction may succeed that fits where the log's file has room already. It is as durable as any,
		// and the ledger holds it to that.
		if refused := during.of(writes...).onlyRefused(t, "writing on a full disk"); refused == 0 {
			t.Error("no write met the full disk, so nothing is proven")
		}
		if reading := during.of(reads...); len(reading) == 0 || reading.successes() != len(reading) {
			t.Errorf("reading on a full disk: %v", reading)
		}
		if after.successes() != len(after) || len(after) == 0 {
			t.Errorf("after space was freed: %v", after)
		}
		n.AwaitReady()
		each(o.accounts, func(a *account) { a.verify(i == rounds-1) })
		if t.Failed() {
			return
		}
	}
	o.finish(t, p)
}

// A start on a full disk says so, or serves what can be served; it makes nothing worse.
func TestStartOnFullDisk(t *testing.T) {
	t.Parallel()
	p := stage.NewPost(t)
	n := stage.NewNode(t, stage.Settings{"SMTP_URL": p.URL()})
	smallDisk(t, n.Data)
	n.Start()
	const email, password = "ada@example.com", "correct horse battery staple"
	member(t, n.Client(), p, email, password)
	tokens := signIn(t, n.Client(), email, password)
	n.Kill()
	ballast := filepath.Join(n.Data, "ballast")
	fill(t, ballast)
	n.Spawn()
	select {
	case <-n.Exited:
		t.Logf("the start ended with %v: %s", n.State, stage.Tail(n.Log(), 1))
		if n.State.ExitCode() != 1 || !strings.Contains(stage.Tail(n.Log(), 1), "disk") {
			t.Error("want exit code 1 and a sentence that names the disk")
		}
	case <-time.After(3 * time.Second):
		_, err := n.Client().Refresh(t.Context(), tokens.RefreshToken)
		refused(t, err, "unavailable")
		n.Kill()
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	n.Start()
	refresh(t, n.Client(), tokens.RefreshToken)
	signIn(t, n.Client(), email, password)
}

// stillServes: nobody takes a node out of service, or restarts it, for what a restart does not mend.
func (o *ordeal) stillServes(t *testing.T) {
	t.Helper()
	for _, url := range []string{o.node.URL + "/healthz", o.node.URL + "/.well-known/jwks.json"} {
		if got := o.node.Status(url); got != http.StatusOK {
			t.Errorf("%s: status %d", url, got)
		}
	}
	if !o.node.Running() {
		t.Fatal("the server ended")
	}
}
