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

	"latchkey/api"
	"latchkey/rigs/stage"
)

// diskSize has room for what is written in all rounds: the accounts' sessions are never swept.
func diskSize(t *testing.T) int64 { return stage.Lane[int64](t, 32<<20, 32<<20, 128<<20) }

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

// fill takes all the space that is left, and what the file system frees meanwhile: a deleted file's blocks
// come back when its journal commits, and those set aside for an open file when it is closed.
func fill(t *testing.T, file string) {
	t.Helper()
	for took := 1; took > 0; {
		f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		took = fillOnce(t, f)
		if err := errors.Join(f.Sync(), f.Close()); err != nil { // the sync commits the journal
			t.Fatalf("sync the disk: %v", err)
		}
	}
}

// fillOnce writes until there is no space, and says how much that was.
func fillOnce(t *testing.T, f *os.File) (took int) {
	t.Helper()
	for block := make([]byte, 64<<10); ; {
		n, err := f.Write(block)
		took += n
		if errors.Is(err, syscall.ENOSPC) {
			return took
		}
		if err != nil {
			t.Fatalf("fill the disk: %v", err)
		}
	}
}

// use says what is on the small disk, for whoever reads why a run failed.
func use(dir string) string {
	var disk syscall.Statfs_t
	if err := syscall.Statfs(dir, &disk); err != nil {
		return err.Error()
	}
	said := fmt.Sprintf("%d of %d KiB free", disk.Bavail*uint64(disk.Bsize)>>10, disk.Blocks*uint64(disk.Bsize)>>10)
	entries, _ := os.ReadDir(dir)
	for _, entry := range entries {
		if info, err := entry.Info(); err == nil {
			said += fmt.Sprintf(", %s %d KiB", entry.Name(), info.Size()>>10)
		}
	}
	return said
}

// stillFull: what was seen was seen on a full disk.
func stillFull(t *testing.T, ballast string) {
	t.Helper()
	f, err := os.OpenFile(ballast, os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if took := fillOnce(t, f); took > 0 {
		t.Fatalf("the disk has room again, %d bytes at least: nothing is proven", took)
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
	rounds := stage.Lane(t, 2, 10, 60)
	for i := range rounds {
		o.ledger.nextCycle()
		db := openDatabase(t, n)
		db.exec("PRAGMA wal_checkpoint(TRUNCATE)") // a log that has room in its file needs none on the disk
		db.close()
		began := time.Now()
		everybody := gather(t, o.accounts, o.bystanders)
		o.ledger.awaitMore(t, 2*users)
		w.awaitEach(t, "before the disk is full", since(began, sighting.succeeded), everything...)
		fill(t, ballast)
		full := time.Now()
		w.awaitEach(t, "reading on a full disk", since(full, anyway), reads...)
		await(t, "a write meets the full disk", func() bool { return len(w.filter(since(full, sighting.refused)).of(writes...)) > 0 })
		awaitStatus(t, n, n.Admin+"/readyz", http.StatusServiceUnavailable)
		o.saysItIsDown(t)
		o.stillServes(t)
		freeing := time.Now()
		if err := os.Remove(ballast); err != nil {
			t.Fatal(err)
		}
		freed := time.Now()
		w.awaitEach(t, "after space was freed", since(freed, anyway), everything...)
		await(t, "the log is copied back after space was freed", func() bool {
			database, err := os.Stat(filepath.Join(n.Data, "latchkey.db"))
			return err == nil && database.ModTime().After(freed)
		})
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
			t.Logf("the small disk: %s", use(n.Data))
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
	db := openDatabase(t, n)
	db.exec("PRAGMA wal_checkpoint(TRUNCATE)") // a log that has room in its file needs none on the disk
	db.close()
	ballast := filepath.Join(n.Data, "ballast")
	fill(t, ballast)
	n.Spawn()
	var kept []string
	if started(t, n) {
		fill(t, ballast) // what the start has given back
		kept = signInUntilFull(t, n, email, password)
		stillFull(t, ballast)
		n.Kill()
	} else {
		t.Logf("the start ended with %v: %s", n.State, stage.Tail(n.Log(), 1))
		if n.State.ExitCode() != 1 || !strings.Contains(stage.Tail(n.Log(), 1), "disk") {
			t.Error("want exit code 1 and a sentence that names the disk")
		}
		stillFull(t, ballast)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	n.Start()
	for _, token := range append(kept, tokens.RefreshToken) {
		refresh(t, n.Client(), token)
	}
	signIn(t, n.Client(), email, password)
}

// signInUntilFull signs in until that is refused for want of space, and returns the refresh tokens that were
// handed out before: what fits where the log's file has room already is as durable as any.
func signInUntilFull(t *testing.T, n *stage.Node, email, password string) (kept []string) {
	t.Helper()
	for range 40 { // no session is evicted
		tokens, err := n.Client().SignIn(t.Context(), api.SignInRequest{Email: email, Password: password})
		if err != nil {
			refused(t, err, "unavailable")
			return kept
		}
		kept = append(kept, tokens.RefreshToken)
	}
	t.Fatal("no write met the full disk, so nothing is proven")
	return nil
}

// started waits until a server answers, or has ended instead.
func started(t *testing.T, n *stage.Node) bool {
	t.Helper()
	for end := time.Now().Add(stage.ReadyWithin); time.Now().Before(end); {
		select {
		case <-n.Exited:
			return false
		case <-time.After(10 * time.Millisecond):
		}
		if n.Status(n.URL+"/healthz") == http.StatusOK {
			return true
		}
	}
	t.Fatalf("neither up nor gone within %v:\n%s", stage.ReadyWithin, stage.Tail(n.Log(), 5))
	return false
}

// saysItIsDown: the metrics agree with readiness. What a small write that fits has put right for a moment, the next
// one that does not fit takes back.
func (o *ordeal) saysItIsDown(t *testing.T) {
	t.Helper()
	await(t, "on a full disk the metrics say latchkey_database_up 0", func() bool {
		return strings.Contains(string(o.node.Body(o.node.Admin+"/metrics")), "\nlatchkey_database_up 0\n")
	})
}

// stillServes: nobody takes a node out of service, or restarts it, for what a restart does not fix.
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
