package stage

// Programs that browsers need, each with a folder of its own. They join the servers that never outlive the tests.

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

type program struct {
	cmd       *exec.Cmd
	dir       string
	terminate context.CancelFunc
}

// startProgram starts it in the warden's group, with the folder for its home and whatever it writes. Files are open in
// it from descriptor 3 on.
func startProgram(group int, dir string, environment []string, files []*os.File, name string, args ...string) (*program, error) {
	if _, err := exec.LookPath(name); err != nil {
		return nil, fmt.Errorf("%s is part of the tests and is not installed: make deps", name)
	}
	said, err := os.Create(filepath.Join(dir, "said.log"))
	if err != nil {
		return nil, err
	}
	defer said.Close()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Cancel, cmd.WaitDelay = func() error { return cmd.Process.Signal(syscall.SIGTERM) }, Patience
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir}, environment...)
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = said, said, files
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pgid: group}
	if err := cmd.Start(); err != nil {
		cancel()
		return nil, err
	}
	return &program{cmd, dir, cancel}, nil
}

// end has it end, and waits until it is gone.
func (p *program) end() error {
	p.terminate()
	if err := p.cmd.Wait(); p.cmd.ProcessState == nil {
		return err
	}
	return nil
}

// read is what is in one of its files; nothing where there is none yet.
func (p *program) read(file string) []byte {
	raw, _ := os.ReadFile(filepath.Join(p.dir, file))
	return raw
}
