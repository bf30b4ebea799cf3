package rigs

// What must stop a start, what must not, and the modes of what is left in the data folder.

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"latchkey/internal/token"
	"latchkey/rigs/stage"
)

// refusal starts a server that must not start and returns its one sentence.
func refusal(t *testing.T, n *stage.Node) string {
	t.Helper()
	before := len(n.Log())
	n.Spawn()
	if code := n.AwaitExit(stage.ReadyWithin); code != 1 {
		t.Fatalf("exit code %d, want 1:\n%s", code, n.Log()[before:])
	}
	sentences := errorsIn(t, n.Log()[before:])
	if len(sentences) != 1 {
		t.Fatalf("want one sentence, got %q", sentences)
	}
	return sentences[0]
}

// errorsIn reads a JSON log, every line of it, and returns its errors.
func errorsIn(t *testing.T, log string) []string {
	t.Helper()
	var found []string
	for line := range strings.Lines(log) {
		var entry struct{ Level, Msg string }
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatalf("a line of the log is not JSON: %q", line)
		}
		if entry.Level == "ERROR" {
			found = append(found, entry.Msg)
		}
	}
	return found
}

// A wrong master key beside an old database stops the start and changes nothing: with the right key the
// server starts, and its sessions live.
func TestWrongMasterKey(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, databaseURL string) {
		p := stage.NewPost(t)
		n := stage.NewNode(t, stage.Settings{"DATABASE_URL": databaseURL, "SMTP_URL": p.URL(), "MASTER_KEY": token.NewMasterKey()})
		right := n.Settings["MASTER_KEY"]
		n.Start()
		const email, password = "ada@example.com", "correct horse battery staple"
		member(t, n.Client(), p, email, password)
		session := signIn(t, n.Client(), email, password)
		n.Stop()

		for range 2 { // the first refusal must not have made the second key a known one
			n.Settings["MASTER_KEY"] = token.NewMasterKey()
			if said := refusal(t, n); !strings.Contains(said, "master key") || !strings.Contains(said, "LATCHKEY_MASTER_KEY") {
				t.Errorf("the start was refused with %q", said)
			}
		}
		if out, said, code := n.Command("", "user", "list"); code != 1 || !strings.Contains(said, "master key") || strings.Contains(out, email) {
			t.Errorf("another command with the wrong key: exit code %d, %q %q", code, out, said)
		}
		n.Settings["MASTER_KEY"] = right
		n.Start()
		if !alive(t, n.Client(), session.AccessToken) {
			t.Error("with the right key again the session is dead")
		}
		refresh(t, n.Client(), session.RefreshToken)
	})
}

// A database whose key file is gone is not given a new one.
func TestLostMasterKey(t *testing.T) {
	t.Parallel()
	n := stage.StartNode(t, nil)
	n.Stop()
	file := filepath.Join(n.Data, "master.key")
	key, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if said := refusal(t, n); !strings.Contains(said, "master.key") {
		t.Errorf("the start was refused with %q", said)
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("a second key was made beside old data")
	}
	if err := os.WriteFile(file, key, 0o644); err != nil {
		t.Fatal(err)
	}
	if said := refusal(t, n); !strings.Contains(said, "chmod 600") {
		t.Errorf("with a key file that others can read the start was refused with %q", said)
	}
	if err := os.Chmod(file, 0o600); err != nil {
		t.Fatal(err)
	}
	n.Start()
}

// One data folder has one server; the second is refused and the first does not notice. It is not the
// file that locks but the process: after a kill the next one starts.
func TestSecondServe(t *testing.T) {
	t.Parallel()
	first := stage.StartNode(t, nil)
	second := stage.NewNode(t, stage.Settings{"DATA_DIR": first.Data})
	if said := refusal(t, second); !strings.Contains(said, first.Data) {
		t.Errorf("the second server was refused with %q", said)
	}
	if got := first.Status(first.URL + "/readyz"); got != http.StatusOK {
		t.Errorf("the first server's readyz: %d", got)
	}
	first.Kill()
	second.Start()
}

// Under a umask that forbids nothing, all that the server and the commands leave in the data folder is
// for its owner alone.
func TestFileModes(t *testing.T) {
	t.Parallel()
	p := stage.NewPost(t)
	n := stage.StartNode(t, stage.Settings{"SMTP_URL": p.URL()})
	member(t, n.Client(), p, "ada@example.com", "correct horse battery staple")
	n.Must("", "backup", filepath.Join(n.Data, "copy.db"))
	n.Must("a password from standard input\n", "user", "add", "--email", "grace@example.com", "--first-name", "Grace", "--last-name", "Hopper", "--password-stdin")
	look := func(when string) (seen []string) {
		err := filepath.WalkDir(n.Data, func(path string, entry fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := entry.Info()
			if err != nil {
				return err
			}
			want := fs.FileMode(0o600)
			if entry.IsDir() {
				want = 0o700
			}
			if got := info.Mode().Perm(); got != want {
				t.Errorf("%s: %s has mode %04o, want %04o", when, path, got, want)
			}
			seen = append(seen, entry.Name())
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return seen
	}
	if seen := strings.Join(look("running"), " "); !strings.Contains(seen, "latchkey.db-wal") || !strings.Contains(seen, "copy.db") {
		t.Errorf("the folder holds %s", seen)
	}
	n.Kill()
	n.Start()
	look("restarted after a kill")
	n.Stop()
	look("stopped")

	copied, err := os.ReadFile(filepath.Join(n.Data, "copy.db"))
	if err != nil || !bytes.Contains(copied, []byte("ada@example.com")) {
		t.Errorf("the copy does not hold the account (%v)", err)
	}
}
