package main

// Servers under load: processes of their own, started with a configuration, stopped with this one.

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"latchkey/bench/load"
	"latchkey/bench/machine"
)

const (
	startLimit = 60 * time.Second
	stopLimit  = 20 * time.Second
)

// server is a running process that answers on addr.
type server struct {
	addr, admin string
	started     time.Duration // from exec to the first 200
	computed    time.Duration // CPU time until then
	cmd         *exec.Cmd
	stdin       io.Closer // closing it ends a ceiling server
	log         *os.File
	exited      chan struct{}
}

// startLatchkey runs `latchkey serve` with the defaults, but for the ports and what env adds.
func startLatchkey(ctx context.Context, binary string, env []string) (*server, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	admin, err := freeAddr()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(binary, "serve")
	cmd.Env = append(bareEnv(), "LATCHKEY_ADDR="+addr, "LATCHKEY_ADMIN_ADDR="+admin)
	cmd.Env = append(cmd.Env, env...)
	s := &server{addr: addr, admin: admin, cmd: cmd}
	return s, s.start(ctx)
}

// startCeiling runs this program as a server without rules.
func startCeiling(ctx context.Context, args ...string) (*server, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self, append([]string{"ceiling", "-addr", addr}, args...)...)
	cmd.Env = bareEnv()
	s := &server{addr: addr, cmd: cmd}
	if s.stdin, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	return s, s.start(ctx)
}

// bareEnv is this process's environment without anybody's settings of Latchkey.
func bareEnv() []string {
	var env []string
	for _, line := range os.Environ() {
		if !strings.HasPrefix(line, "LATCHKEY_") {
			env = append(env, line)
		}
	}
	return env
}

func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// logDir is where a server's log goes: a line a request is part of the work that is measured, but its
// way to this disk is not, since the database is there.
func logDir() string {
	if info, err := os.Stat("/dev/shm"); err == nil && info.IsDir() {
		return "/dev/shm"
	}
	return os.TempDir()
}

func (s *server) start(ctx context.Context) (err error) {
	s.log, err = os.CreateTemp(logDir(), "latchkey-bench-*.log")
	if err != nil {
		return err
	}
	flags, err := os.OpenFile(s.log.Name(), os.O_WRONLY|os.O_APPEND, 0) // so that it can be cut while in use
	if err != nil {
		return err
	}
	defer flags.Close()
	s.cmd.Stdout, s.cmd.Stderr = flags, flags
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	s.exited = make(chan struct{})
	began := time.Now()
	if err := s.cmd.Start(); err != nil {
		return errors.Join(err, os.Remove(s.log.Name()))
	}
	go func() {
		_ = s.cmd.Wait()
		close(s.exited)
	}()
	if err := s.awaitReady(ctx); err != nil {
		return errors.Join(err, s.stop())
	}
	s.started, s.computed = time.Since(began), machine.CPU(s.pid())
	return nil
}

func (s *server) pid() int { return s.cmd.Process.Pid }

func (s *server) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	conn := load.NewConn(s.addr, nil)
	defer conn.Close()
	for {
		if a, err := conn.Do(load.Request{Method: http.MethodGet, Path: "/readyz"}); err == nil && a.Status == http.StatusOK {
			return nil
		}
		select {
		case <-s.exited:
			return fmt.Errorf("%s ended: %s", filepath.Base(s.cmd.Path), s.tail())
		case <-ctx.Done():
			return fmt.Errorf("%s did not become ready: %s", filepath.Base(s.cmd.Path), s.tail())
		case <-time.After(500 * time.Microsecond):
		}
	}
}

// tail is the end of what the process said.
func (s *server) tail() string {
	const most = 2000
	raw, _ := os.ReadFile(s.log.Name())
	return string(raw[max(0, len(raw)-most):])
}

// cutLog empties the log, which grows by a line a request.
func (s *server) cutLog() { _ = os.Truncate(s.log.Name(), 0) }

// stop asks the process to end, and ends it if it does not.
func (s *server) stop() error {
	if s.stdin != nil {
		_ = s.stdin.Close()
	}
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	var err error
	select {
	case <-s.exited:
	case <-time.After(stopLimit):
		err = errors.Join(fmt.Errorf("%s did not stop within %s", filepath.Base(s.cmd.Path), stopLimit), s.cmd.Process.Kill())
		<-s.exited
	}
	return errors.Join(err, s.log.Close(), os.Remove(s.log.Name()))
}

// metrics reads those of the server's that have no labels.
func (s *server) metrics(ctx context.Context) (map[string]float64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.admin+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept-Encoding", "identity") // to pack them would cost more than to make them
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	all := map[string]float64{}
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), " ")
		if n, err := strconv.ParseFloat(value, 64); err == nil {
			all[name] = n
		}
	}
	return all, lines.Err()
}

// allocated is what the server has allocated since its start, by its own count: bytes and objects. A
// server without metrics has no count.
func (s *server) allocated() (bytes, objects float64) {
	if s.admin == "" {
		return 0, 0
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	metrics, err := s.metrics(ctx)
	if err != nil {
		return 0, 0
	}
	return metrics["go_memstats_alloc_bytes_total"], metrics["go_memstats_mallocs_total"]
}
