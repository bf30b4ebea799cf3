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
	return errors.Join(err, stage.End())
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
