// Package rigs proves promises that only the real thing can keep: the binary, built once a run, as
// processes of its own, driven over HTTP through package client, with a real SMTP server and a real
// PostgreSQL beside it. What belongs here is killed, stopped, cut off, filled up or searched in the
// raw; what one process can show of itself belongs to the room that it is about. There are only tests
// here, and the machinery they share; nothing imports this package.
//
// `go test ./rigs` runs the short form. LATCHKEY_RIG=long and LATCHKEY_RIG=soak run longer ones.
package rigs

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"

	"latchkey/internal/authtest"
)

// run is what the tests of one run share. Each part is made when the first test asks for it.
var run struct {
	sync.Mutex
	dir       string
	binaries  map[bool]string // with and without the race detector
	warden    *warden
	cluster   *authtest.Cluster
	databases int
}

func TestMain(m *testing.M) {
	code := m.Run()
	if err := endRun(); err != nil {
		fmt.Fprintln(os.Stderr, "clean up after the rigs:", err)
		code = 1
	}
	os.Exit(code)
}

func endRun() (err error) {
	run.Lock()
	defer run.Unlock()
	if run.cluster != nil {
		err = run.cluster.Close()
	}
	if run.warden != nil {
		err = errors.Join(err, run.warden.end())
	}
	return errors.Join(err, os.RemoveAll(run.dir))
}

// lane chooses by the length of the run.
func lane[T any](t testing.TB, short, long, soak T) T {
	t.Helper()
	switch name := os.Getenv("LATCHKEY_RIG"); name {
	case "":
		return short
	case "long":
		return long
	case "soak":
		return soak
	default:
		t.Fatalf("LATCHKEY_RIG is %q: write long or soak, or leave it out", name)
		return short
	}
}

// serverBinary builds cmd/latchkey, once, the way `make build` does; or with the race detector, whose
// reports go to the server's log.
func serverBinary(t testing.TB, race bool) string {
	t.Helper()
	run.Lock()
	defer run.Unlock()
	if file := run.binaries[race]; file != "" {
		return file
	}
	if run.dir == "" {
		dir, err := os.MkdirTemp("", "latchkey-rigs-")
		if err != nil {
			t.Fatal(err)
		}
		run.dir, run.binaries = dir, map[bool]string{}
	}
	file := filepath.Join(run.dir, "latchkey")
	build, cgo := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w"), "CGO_ENABLED=0"
	if race {
		file += "-race"
		build, cgo = exec.Command("go", "build", "-race"), "CGO_ENABLED=1"
	}
	build.Args = append(build.Args, "-o", file, "latchkey/cmd/latchkey")
	build.Env = append(os.Environ(), cgo)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build cmd/latchkey: %v\n%s", err, out)
	}
	run.binaries[race] = file
	return file
}

// underRace says whether this test was built with the race detector.
func underRace() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

// postgres is an empty database in the cluster that the rigs share.
func postgres(t testing.TB) string {
	t.Helper()
	run.Lock()
	defer run.Unlock()
	if run.cluster == nil {
		c, err := authtest.StartCluster()
		if err != nil {
			t.Fatalf("PostgreSQL is part of the rigs: %v", err)
		}
		run.cluster = c
	}
	run.databases++
	return newDatabase(t, run.cluster, "rig"+strconv.Itoa(run.databases))
}

func newDatabase(t testing.TB, c *authtest.Cluster, name string) string {
	t.Helper()
	url, err := c.CreateDatabase(name)
	if err != nil {
		t.Fatalf("create database: %v", err)
	}
	return url
}

// onEngines runs a test on SQLite (an empty URL: the file in the data folder) and on PostgreSQL.
func onEngines(t *testing.T, test func(t *testing.T, databaseURL string)) {
	t.Run("sqlite", func(t *testing.T) { test(t, "") })
	t.Run("postgres", func(t *testing.T) { test(t, postgres(t)) })
}

// warden is a shell whose process group every server joins. It reads a pipe that only the test process
// holds open, so that no server outlives the test process, however that ends.
type warden struct {
	shell *exec.Cmd
	pipe  io.Closer
}

// wardenGroup starts the warden when the first server does.
func wardenGroup() (int, error) {
	run.Lock()
	defer run.Unlock()
	if run.warden != nil {
		return run.warden.shell.Process.Pid, nil
	}
	shell := exec.Command("/bin/sh", "-c", "read _; kill -9 0")
	shell.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	pipe, err := shell.StdinPipe()
	if err != nil {
		return 0, err
	}
	if err := shell.Start(); err != nil {
		return 0, fmt.Errorf("start warden: %w", err)
	}
	run.warden = &warden{shell, pipe}
	return shell.Process.Pid, nil
}

// end stops the warden, which takes its own life with the others'.
func (w *warden) end() error {
	err := w.pipe.Close()
	if exit, ok := errors.AsType[*exec.ExitError](w.shell.Wait()); !ok || exit.ProcessState.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		err = errors.Join(err, errors.New("the warden ended otherwise than by its own hand"))
	}
	return err
}
