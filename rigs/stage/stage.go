// Package stage is what rigs need around a real server: the binary, built once a run and started as a
// process that never outlives the tests, a real SMTP server, and browsers of three engines. Tests alone import
// it; End must come after the last of them.
package stage

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"sync"
	"syscall"
	"testing"
)

// run is what the tests of one run share. Each part is made when the first test asks for it.
var run struct {
	sync.Mutex
	dir      string
	binaries map[bool]string // with and without the race detector
	warden   *warden
	chromium *chromium
	firefox  *firefox
	xvfb     *program
	display  string // Xvfb's
}

// End ends every server that still runs, and the browsers, and removes the binaries.
func End() (err error) {
	run.Lock()
	defer run.Unlock()
	if run.chromium != nil {
		err = run.chromium.end()
	}
	if run.firefox != nil {
		err = errors.Join(err, run.firefox.end())
	}
	if run.xvfb != nil {
		err = errors.Join(err, run.xvfb.end())
	}
	if run.warden != nil {
		err = errors.Join(err, run.warden.end())
	}
	return errors.Join(err, os.RemoveAll(run.dir))
}

// runFolder makes a new folder for one part of the run, whose lock the caller holds.
func runFolder(name string) (string, error) {
	if run.dir == "" {
		dir, err := os.MkdirTemp("", "latchkey-rigs-")
		if err != nil {
			return "", err
		}
		run.dir = dir
	}
	return os.MkdirTemp(run.dir, name+"-")
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
	dir, err := runFolder("bin")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "latchkey")
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
	if run.binaries == nil {
		run.binaries = map[bool]string{}
	}
	run.binaries[race] = file
	return file
}

// UnderRace says whether this test was built with the race detector.
func UnderRace() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

// warden is a shell whose process group every server joins. It reads a pipe that only the test process
// holds open, so that no server outlives the test process, however that ends.
type warden struct {
	shell *exec.Cmd
	pipe  io.Closer
}

// Guard puts a program that is about to be started, and what it starts in turn, among the servers that never outlive
// the tests.
func Guard(cmd *exec.Cmd) error {
	group, err := wardenGroup()
	if err != nil {
		return err
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pgid: group}
	return nil
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

// Lane chooses by the length of the run, which LATCHKEY_RIG says.
func Lane[T any](t testing.TB, short, long, soak T) T {
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
