package authtest

// A pgbouncer before a cluster, as operators put one between.

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Pooler starts a pgbouncer before c, with lines of its configuration such as "pool_mode=session", and returns the
// URL of a database through it. It ends with the test.
func (c *Cluster) Pooler(t testing.TB, database string, lines ...string) string {
	t.Helper()
	program, err := exec.LookPath("pgbouncer")
	if err != nil {
		if program, err = exec.LookPath("/usr/sbin/pgbouncer"); err != nil {
			t.Fatal("pgbouncer is part of these tests: run `make deps`")
		}
	}
	port, err := FreePort(t.Cleanup)
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("[databases]\n* = host=%s user=latchkey\n[pgbouncer]\nlisten_addr=127.0.0.1\nlisten_port=%s\nunix_socket_dir=\nauth_type=any\n", c.Dir, port)
	for _, line := range lines {
		text += line + "\n"
	}
	file := filepath.Join(c.Dir, fmt.Sprintf("pgbouncer-%s.ini", port))
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	// As the cluster does it: the shell ends the pooler when this process, which alone holds the pipe, has ended.
	pooler := exec.Command("/bin/sh", "-c", `"$@" <&- & p=$!; read _; kill -KILL $p; wait $p`, "sh", program, "-q", file)
	pooler.SysProcAttr = &syscall.SysProcAttr{}
	if pooler.SysProcAttr.Credential, err = postgresUser(); err != nil {
		t.Fatal(err)
	}
	pipe, err := pooler.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := pooler.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := pipe.Close(); err != nil {
			t.Error(err)
		}
		_ = pooler.Wait() // its pooler was killed
	})
	url := fmt.Sprintf("postgres://latchkey@127.0.0.1:%s/%s?sslmode=disable", port, database)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, url)
		if err == nil {
			if err := conn.Close(ctx); err != nil {
				t.Fatal(err)
			}
			return url
		}
		select {
		case <-ctx.Done():
			t.Fatalf("pgbouncer did not start: %v", err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}
