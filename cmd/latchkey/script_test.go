package main

// The commands as an operator types them: testdata/script on SQLite, testdata/postgres. Each script runs the real commands
// as processes of their own.

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"latchkey/internal/authtest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"latchkey": func() { os.Exit(runProcess()) }})
}

func TestScripts(t *testing.T) {
	t.Parallel()
	runScripts(t, "testdata/script", nil)
}

// The same binary beside PostgreSQL: what differs there.
func TestPostgresScripts(t *testing.T) {
	t.Parallel()
	authtest.NeedsPostgres(t)
	cluster, err := authtest.StartCluster()
	if err != nil {
		t.Fatalf("PostgreSQL is part of these tests: %v", err)
	}
	t.Cleanup(func() {
		if err := cluster.Close(); err != nil {
			t.Error(err)
		}
	})
	runScripts(t, "testdata/postgres", func(env *testscript.Env) error {
		name := strings.ReplaceAll(filepath.Base(env.WorkDir), "-", "_")
		url, err := cluster.CreateDatabase(name)
		env.Setenv("LATCHKEY_DATABASE_URL", url)
		return err
	})
}

func runScripts(t *testing.T, dir string, setup func(*testscript.Env) error) {
	testscript.Run(t, testscript.Params{
		Dir: dir,
		Setup: func(env *testscript.Env) error {
			env.Setenv("LATCHKEY_HASH_MEMORY_KIB", "64") // the cost is not what is tested here
			env.Setenv("LATCHKEY_HASH_TIME", "1")
			for _, suffix := range []string{"", "2"} { // scripts may run two nodes
				public, err := authtest.FreePort(env.Defer)
				if err != nil {
					return err
				}
				admin, err := authtest.FreePort(env.Defer)
				if err != nil {
					return err
				}
				env.Setenv("ADDR"+suffix, "127.0.0.1:"+public)
				env.Setenv("ADMIN_ADDR"+suffix, "127.0.0.1:"+admin)
				env.Setenv("URL"+suffix, "http://localhost:"+public)
				env.Setenv("ADMIN"+suffix, "http://127.0.0.1:"+admin)
			}
			env.Setenv("LATCHKEY_ADDR", env.Getenv("ADDR"))
			env.Setenv("LATCHKEY_ADMIN_ADDR", env.Getenv("ADMIN_ADDR"))
			env.Setenv("LATCHKEY_PUBLIC_URL", env.Getenv("URL"))
			if setup == nil {
				return nil
			}
			return setup(env)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "untilready": untilReady, "http": callHTTP, "jsonlines": jsonLines, "mode": checkMode, "remember": remember,
			"oldschema": oldSchema,
		},
	})
}

// exits runs a command and wants this exit code: exits 2 latchkey user add.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	code := 0
	if exit, ok := errors.AsType[*exec.ExitError](ts.Exec(args[1], args[2:]...)); ok {
		code = exit.ExitCode()
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("exit code %d, want %s", code, args[0])
	}
}

// untilready waits for a server in the background: untilready $ADMIN/readyz.
func untilReady(ts *testscript.TestScript, _ bool, args []string) {
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		answer, err := http.Get(args[0])
		if err != nil {
			continue
		}
		answer.Body.Close()
		if answer.StatusCode == http.StatusOK {
			return
		}
	}
	ts.Fatalf("%s was not ready within 30 s", args[0])
}

// http makes a call, wants this status and prints the body: http 200 POST URL BODY [HEADER].
func callHTTP(ts *testscript.TestScript, _ bool, args []string) {
	args = append(args, "", "")
	request, err := http.NewRequest(args[1], args[2], strings.NewReader(args[3]))
	ts.Check(err)
	request.Header.Set("Content-Type", "application/json")
	if name, value, ok := strings.Cut(args[4], ": "); ok {
		request.Header.Set(name, value)
	}
	answer, err := http.DefaultClient.Do(request)
	ts.Check(err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	ts.Check(err)
	_, err = ts.Stdout().Write(body)
	ts.Check(err)
	if strconv.Itoa(answer.StatusCode) != args[0] {
		ts.Fatalf("%s %s: status %d, want %s\n%s", args[1], args[2], answer.StatusCode, args[0], body)
	}
}

// jsonlines wants every line of a file to be one JSON object.
func jsonLines(ts *testscript.TestScript, _ bool, args []string) {
	lines := strings.Split(strings.TrimSuffix(ts.ReadFile(args[0]), "\n"), "\n")
	for i, line := range lines {
		var object map[string]any
		if err := json.Unmarshal([]byte(line), &object); err != nil {
			ts.Fatalf("line %d is no JSON object: %v\n%s", i+1, err, line)
		}
	}
}

// mode wants this mode of files: mode 0600 data/latchkey.db.
func checkMode(ts *testscript.TestScript, _ bool, args []string) {
	for _, file := range args[1:] {
		info, err := os.Stat(ts.MkAbs(file))
		ts.Check(err)
		if got := fmt.Sprintf("%04o", info.Mode().Perm()); got != args[0] {
			ts.Fatalf("%s has mode %s, want %s", file, got, args[0])
		}
	}
}

// remember puts a field of JSON on standard output into a variable: remember SESSION stdout data.sessionId.
func remember(ts *testscript.TestScript, _ bool, args []string) {
	var value any
	ts.Check(json.NewDecoder(bytes.NewBufferString(ts.ReadFile(args[1]))).Decode(&value))
	for name := range strings.SplitSeq(args[2], ".") {
		switch v := value.(type) {
		case map[string]any:
			value = v[name]
		case []any:
			i, err := strconv.Atoi(name)
			ts.Check(err)
			if i >= len(v) {
				ts.Fatalf("no %s in %s", args[2], ts.ReadFile(args[1]))
			}
			value = v[i]
		}
	}
	text, ok := value.(string)
	if !ok {
		ts.Fatalf("%s is %v", args[2], value)
	}
	ts.Setenv(args[0], text)
}
