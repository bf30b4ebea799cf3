package sdk

// examples/cli-go, built where it is another module, as its reader builds it, and used as its user does.

import (
	"bufio"
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"latchkey/internal/authtest"
	"latchkey/rigs/stage"
)

// shell runs a command in a folder, and returns what it prints.
func shell(t *testing.T, dir, command string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-euc", command)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
	return string(out)
}

// ofItsOwn builds an example's program in a folder beside the checkout, by the commands of README.
func ofItsOwn(t *testing.T, example string) (program string) {
	t.Helper()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	command := regexp.MustCompile(`(?m)^go mod edit .*-replace=.*$`).FindString(string(readme))
	checkout, err := filepath.Abs("../..")
	if err != nil || command == "" {
		t.Fatal("README.md does not say how another module requires this one", err)
	}
	beside := t.TempDir()
	if err := os.Symlink(checkout, filepath.Join(beside, "latchkey")); err != nil {
		t.Fatal(err)
	}
	own := filepath.Join(beside, example)
	if err := os.Mkdir(own, 0o700); err != nil {
		t.Fatal(err)
	}
	shell(t, own, "cp ../latchkey/examples/"+example+"/main.go . && go mod init example.org/"+example+" && "+command+" && go mod tidy && go build -o program")
	return filepath.Join(own, "program")
}

// TestCliGo signs in to the program by Chromium, calls an API, and signs out.
func TestCliGo(t *testing.T) {
	t.Parallel()
	clients, err := filepath.Abs("../../examples/cli-go/clients.toml")
	if err != nil {
		t.Fatal(err)
	}
	node := stage.StartNode(t, stage.Settings{"CLIENTS_FILE": clients})
	node.Must(authtest.Password+"\n", "user", "add", "--email", email, "--first-name", "Ada", "--last-name", "Lovelace", "--password-stdin")
	port, err := authtest.FreePort(t.Cleanup)
	if err != nil {
		t.Fatal(err)
	}
	issuer, home := node.Settings["PUBLIC_URL"], t.TempDir()
	program, api := ofItsOwn(t, "cli-go"), exec.Command(ofItsOwn(t, "verify-go"))
	api.Env = []string{"ISSUER=" + issuer, "ADDR=127.0.0.1:" + port}
	if err := stage.Guard(api); err != nil {
		t.Fatal(err)
	}
	if err := api.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = api.Process.Kill(), api.Wait() }) // it ends no other way
	for end := time.Now().Add(stage.Patience); node.Status("http://localhost:"+port+"/hello") == 0; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the API does not start")
		}
	}
	// No browser is found by the program, so it is the test that opens the address.
	run := func(args ...string) *exec.Cmd {
		ctx, cancel := context.WithTimeout(t.Context(), 5*stage.Patience) // the person's steps have one each
		t.Cleanup(cancel)
		cmd := exec.CommandContext(ctx, program, args...)
		cmd.Env = []string{"HOME=" + home, "ISSUER=" + issuer, "API=http://localhost:" + port}
		return cmd
	}

	first := run()
	said, err := first.StderrPipe()
	var printed bytes.Buffer
	if first.Stdout = &printed; err == nil {
		err = first.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	address := ""
	for lines := bufio.NewScanner(said); address == "" && lines.Scan(); {
		if strings.HasPrefix(lines.Text(), issuer+"/oauth/authorize?") {
			address = lines.Text()
		}
	}
	tab := stage.NewTab(t)
	tab.Open(address)
	tab.SignIn(email, authtest.Password)
	tab.Await("document.title === 'You are signed in'")
	if err := first.Wait(); err != nil || printed.String() != "You are signed in as "+email+"\n" {
		t.Fatalf("it prints %q: %v", printed.String(), err)
	}

	for _, tt := range []struct{ args, prints string }{
		{"", "You are signed in as " + email + "\n"}, // the browser is not opened again
		{"hello", "hello, user "},
		{"bye", `unknown command "bye"`},
		{"sign-out", ""},
		{"sign-out", "nobody is signed in"},
	} {
		out, _ := run(strings.Fields(tt.args)...).CombinedOutput() // what it prints tells
		if !strings.HasPrefix(string(out), tt.prints) && !strings.Contains(string(out), "client: "+tt.prints) || tt.prints == "" && len(out) > 0 {
			t.Errorf("%s prints %q, want %q", tt.args, out, tt.prints)
		}
	}
}
