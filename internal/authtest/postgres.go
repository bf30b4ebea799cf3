package authtest

// A PostgreSQL server of the tests' own: started when the first test asks, on a Unix socket, gone with
// the test process.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Cluster is a PostgreSQL server for tests with a data folder of its own: what initdb calls a database cluster. It has nothing
// to do with nodes of Latchkey.
type Cluster struct {
	Dir    string // data folder below, socket inside
	bin    string
	server *exec.Cmd
	stop   io.Closer // closing it stops the server
	exited chan struct{}
}

// shared is the cluster that the tests of one process use together.
var shared struct {
	sync.Mutex
	cluster *Cluster
	next    int
}

func stopShared(code *int) {
	shared.Lock()
	defer shared.Unlock()
	if shared.cluster != nil {
		if err := shared.cluster.Close(); err != nil {
			fmt.Fprintln(os.Stderr, "stop PostgreSQL:", err)
			*code = 1
		}
	}
}

// newPostgresURL makes an empty schema in the shared cluster: as good as a database of its own to a
// store, and made at a fraction of the cost.
func newPostgresURL(t testing.TB) string {
	t.Helper()
	NeedsPostgres(t)
	shared.Lock()
	defer shared.Unlock()
	if shared.cluster == nil {
		c, err := StartCluster()
		if err != nil {
			t.Fatalf("PostgreSQL is part of these tests: %v", err)
		}
		shared.cluster = c
	}
	shared.next++
	schema := "test" + strconv.Itoa(shared.next)
	if err := shared.cluster.exec("CREATE SCHEMA " + schema); err != nil {
		t.Fatal(err)
	}
	return shared.cluster.URL("postgres") + "&search_path=" + schema
}

// NeedsPostgres skips the test where -short leaves PostgreSQL out.
func NeedsPostgres(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("-short leaves PostgreSQL out: make test")
	}
}

// StartCluster makes and starts a PostgreSQL server of its own. Settings are given as to
// postgresql.conf: "synchronous_commit=on".
func StartCluster(settings ...string) (*Cluster, error) {
	bin, err := postgresBin()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("/tmp", "latchkey-pg-")
	if err != nil {
		return nil, err
	}
	c := &Cluster{Dir: dir, bin: bin}
	if err := c.own(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	out, err := c.command("initdb", "-D", c.data(), "-U", "latchkey", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C").CombinedOutput()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("initdb: %w: %s", err, out), os.RemoveAll(dir))
	}
	if err := c.Start(settings...); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

func (c *Cluster) data() string { return filepath.Join(c.Dir, "data") }

// own gives the folder to the user the server runs as: PostgreSQL refuses to run as root.
func (c *Cluster) own() error {
	runAs, err := postgresUser()
	if err != nil || runAs == nil {
		return err
	}
	return os.Chown(c.Dir, int(runAs.Uid), int(runAs.Gid))
}

// postgresUser is who the server runs as where the tests run as root; else nil, for the user of the tests.
func postgresUser() (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, fmt.Errorf("the tests run as root and need the user postgres: %w", err)
	}
	uid, uidErr := strconv.ParseUint(u.Uid, 10, 32)
	gid, gidErr := strconv.ParseUint(u.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, errors.Join(uidErr, gidErr)
}

// command runs one of PostgreSQL's programs as its user, in its folder.
func (c *Cluster) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(c.bin, name), args...)
	cmd.Dir = c.Dir
	cmd.Env = append(os.Environ(), "LC_ALL=C", "HOME="+c.Dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if runAs, err := postgresUser(); err == nil {
		cmd.SysProcAttr.Credential = runAs
	}
	return cmd
}

// Start starts the server. It stops when the test process ends, however that ends: a shell beside it
// reads a pipe that only this process holds open. It wakes what is frozen, too: see Freeze.
func (c *Cluster) Start(settings ...string) error {
	args := []string{"-D", c.data(), "-c", "listen_addresses=", "-c", "unix_socket_directories=" + c.Dir, "-c", "max_connections=200",
		"-c", "dynamic_shared_memory_type=mmap"} // files in the folder, gone with it after a kill as well
	for _, s := range settings {
		args = append(args, "-c", s)
	}
	watchdog := c.command("postgres", args...)
	watchdog.Args = slices.Concat([]string{"sh", "-c", `"$@" <&- & p=$!; read _; kill -INT $p; kill -CONT $p $(cat /proc/$p/task/$p/children 2>/dev/null); wait $p`, "sh", watchdog.Path}, args)
	watchdog.Path = "/bin/sh"
	var log bytes.Buffer
	watchdog.Stdout, watchdog.Stderr = &log, &log
	pipe, err := watchdog.StdinPipe()
	if err != nil {
		return err
	}
	if err := watchdog.Start(); err != nil {
		return err
	}
	c.server, c.stop, c.exited = watchdog, pipe, make(chan struct{})
	go func() {
		_ = watchdog.Wait()
		close(c.exited)
	}()
	if err := c.awaitReady(); err != nil {
		return errors.Join(err, c.Stop(), errors.New(log.String()))
	}
	return nil
}

func (c *Cluster) awaitReady() error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, c.URL("postgres"))
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("PostgreSQL did not start: %w", err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// Stop stops the server; its data stay.
func (c *Cluster) Stop() error {
	if c.server == nil {
		return nil
	}
	err := c.stop.Close()
	<-c.exited
	c.server = nil
	return err
}

// Close stops the server and removes its data.
func (c *Cluster) Close() error {
	return errors.Join(c.Stop(), os.RemoveAll(c.Dir))
}

// URL names a database of the cluster.
func (c *Cluster) URL(database string) string {
	return "postgres:///" + database + "?user=latchkey&host=" + c.Dir
}

// CreateDatabase makes an empty database and returns its URL.
func (c *Cluster) CreateDatabase(name string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, c.URL("postgres"))
	if err != nil {
		return "", err
	}
	_, err = conn.Exec(ctx, "CREATE DATABASE "+pgx.Identifier{name}.Sanitize())
	return c.URL(name), errors.Join(err, conn.Close(ctx))
}

// postgresBin finds the server's programs: the newest under Debian's folder, else those on PATH.
func postgresBin() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil {
		return "", err
	}
	if len(found) > 0 {
		return filepath.Dir(slices.Max(found)), nil
	}
	path, err := exec.LookPath("initdb")
	if err != nil {
		return "", errors.New("initdb is neither on PATH nor under /usr/lib/postgresql: run `make deps`")
	}
	return filepath.Dir(path), nil
}
