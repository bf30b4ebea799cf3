package authtest

// What may happen to a PostgreSQL server: all its processes stand still, or are gone at once.

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Freeze stops every process of the server where it is: connections stay open, and nothing answers.
// Close thaws what is frozen.
func (c *Cluster) Freeze() error {
	postmaster, err := c.postmaster()
	if err != nil {
		return err
	}
	if err := halt(postmaster); err != nil { // first: from here on it starts no more
		return err
	}
	children, err := childrenOf(postmaster)
	if err != nil {
		return err
	}
	for _, pid := range children {
		err = errors.Join(err, halt(pid))
	}
	return err
}

// Thaw lets a frozen server go on.
func (c *Cluster) Thaw() error { return c.signal(syscall.SIGCONT) }

// Kill ends every process of the server at once, as a power cut would. The data stay as they are; what
// PostgreSQL would have to tidy up outside its folder is gone.
func (c *Cluster) Kill() error {
	if err := c.Freeze(); err != nil {
		return err
	}
	postmaster, err := c.postmaster()
	if err != nil {
		return err
	}
	children, err := childrenOf(postmaster)
	if err != nil {
		return err
	}
	if err := c.signal(syscall.SIGKILL); err != nil {
		return err
	}
	if err := c.Stop(); err != nil {
		return err
	}
	for _, pid := range append(children, postmaster) {
		if err := awaitState(pid, gone); err != nil {
			return err
		}
	}
	return c.removeInterlock()
}

func (c *Cluster) signal(s syscall.Signal) error {
	postmaster, err := c.postmaster()
	if err != nil {
		return err
	}
	children, err := childrenOf(postmaster)
	if err != nil {
		return err
	}
	for _, pid := range append(children, postmaster) {
		if e := syscall.Kill(pid, s); !errors.Is(e, syscall.ESRCH) {
			err = errors.Join(err, e)
		}
	}
	return err
}

// lockFile is PostgreSQL's postmaster.pid: the process id in its first line, the key and the id of a
// System V memory segment in its seventh.
func (c *Cluster) lockFile() ([]string, error) {
	raw, err := os.ReadFile(filepath.Join(c.data(), "postmaster.pid"))
	if err != nil {
		return nil, fmt.Errorf("find PostgreSQL's processes: %w", err)
	}
	return strings.Split(string(raw), "\n"), nil
}

func (c *Cluster) postmaster() (int, error) {
	lines, err := c.lockFile()
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(lines[0]))
}

// removeInterlock frees the memory segment that outlives a killed server until its next start.
func (c *Cluster) removeInterlock() error {
	lines, err := c.lockFile()
	if err != nil || len(lines) < 7 {
		return err
	}
	ids := strings.Fields(lines[6])
	if len(ids) != 2 {
		return nil
	}
	if out, err := exec.Command("ipcrm", "-m", ids[1]).CombinedOutput(); err != nil {
		return fmt.Errorf("remove memory segment %s: %w: %s", ids[1], err, out)
	}
	return nil
}

func childrenOf(pid int) (children []int, err error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return nil, fmt.Errorf("find PostgreSQL's processes: %w", err)
	}
	for text := range strings.FieldsSeq(string(raw)) {
		child, err := strconv.Atoi(text)
		if err != nil {
			return nil, err
		}
		children = append(children, child)
	}
	return children, nil
}

func halt(pid int) error {
	err := syscall.Kill(pid, syscall.SIGSTOP)
	if errors.Is(err, syscall.ESRCH) {
		return nil
	}
	return errors.Join(err, awaitState(pid, halted))
}

// States of a process, as letters of /proc/PID/stat; a zombie waits for whoever inherited it.
const (
	halted = "TtZX"
	gone   = "ZX"
)

// awaitState waits until a process is in one of the states, or is no more.
func awaitState(pid int, states string) error {
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
			return nil
		}
		if err != nil {
			return err
		}
		_, rest, _ := strings.Cut(string(raw), ") ") // the name before may hold anything
		if slices.Contains(strings.Split(states, ""), rest[:1]) {
			return nil
		}
	}
	return fmt.Errorf("process %d did not heed its signal", pid)
}
