// Package rigs proves promises that only the real thing can keep: the binary, built once a run, as
// processes of its own, driven over HTTP through package client, with a real SMTP server and a real
// PostgreSQL beside it. What belongs here is killed, stopped, cut off, filled up or searched in the
// raw; what one process can show of itself belongs to the room that it is about. There are only tests
// here; the server and the SMTP server come from rigs/stage, and nothing imports this package.
//
// `go test ./rigs` runs the short form. LATCHKEY_RIG=long and LATCHKEY_RIG=soak run longer ones.
package rigs

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strconv"
	"sync"
	"testing"

	"latchkey/internal/authtest"
	"latchkey/rigs/stage"
)

// run is the PostgreSQL cluster that the tests of one run share, made when the first test asks for it.
var run struct {
	sync.Mutex
	cluster   *authtest.Cluster
	databases int
}

// together is how many rigs run at once, unless -parallel says otherwise. They wait most of the time: for a limit to run
// out, for a process, for mail.
const together = 4

func TestMain(m *testing.M) {
	flag.Parse()
	chosen := false
	flag.Visit(func(f *flag.Flag) { chosen = chosen || f.Name == "test.parallel" })
	if !chosen {
		if err := flag.Set("test.parallel", strconv.Itoa(together)); err != nil {
			fmt.Fprintln(os.Stderr, "run rigs together:", err)
			os.Exit(1)
		}
	}
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
	return errors.Join(err, stage.End())
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
