package main

import (
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
)

// Several commands may start beside each other on an empty folder: one key comes of it.
func TestFirstMasterKeyIsMadeOnce(t *testing.T) {
	d := folder(t.TempDir())
	var made sync.Map
	var group sync.WaitGroup
	for range 16 {
		group.Go(func() {
			keys, err := d.masterKeys()
			if err != nil {
				t.Error(err)
				return
			}
			made.Store(keys.Current(), true)
		})
	}
	group.Wait()
	count := 0
	made.Range(func(any, any) bool { count++; return true })
	if count != 1 {
		t.Errorf("%d master keys were handed out, want 1", count)
	}
	entries, err := os.ReadDir(string(d))
	if err != nil || len(entries) != 1 {
		t.Errorf("folder holds %v (%v), want the key alone", entries, err)
	}
}

func TestFolderRefusesWhatOthersSee(t *testing.T) {
	open := t.TempDir()
	if err := os.Chmod(open, 0o750); err != nil {
		t.Fatal(err)
	}
	if _, err := folder(open).prepare(); err == nil || !strings.Contains(err.Error(), "chmod 700 "+open) {
		t.Errorf("error %v, want the command that fixes it", err)
	}
	file := writeFile(t, "file", "")
	if _, err := folder(file).prepare(); err == nil {
		t.Error("a file was taken for a folder")
	}
}

func TestSecondLockIsRefused(t *testing.T) {
	d := folder(t.TempDir())
	release, err := d.lock()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.lock(); err == nil || !strings.Contains(err.Error(), "stop it first") {
		t.Errorf("second lock: %v", err)
	}
	if err := release(); err != nil {
		t.Fatal(err)
	}
	release, err = d.lock()
	if err != nil {
		t.Fatalf("lock after release: %v", err)
	}
	if err := release(); err != nil {
		t.Fatal(err)
	}
}

func TestPasswordFromStdin(t *testing.T) {
	for in, want := range map[string]string{
		"secret":     "secret",
		"secret\n":   "secret",
		"secret\r\n": "secret",
		" secret \n": " secret ",
		"secret\r":   "secret\r",
		"":           "",
	} {
		a := &app{stdin: strings.NewReader(in)}
		got, ok, err := a.readPassword(t.Context(), true)
		if err != nil || !ok {
			t.Fatalf("%q: %v, %v", in, ok, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", in, diff)
		}
	}
	for _, in := range []string{"secret\n\n", "two\nlines\n", "\nsecret", "secret\r\n\r\n", "\ufeffsecret\n", "\ufeff"} {
		a := &app{stdin: strings.NewReader(in)}
		if got, _, err := a.readPassword(t.Context(), true); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q is taken as %q (%v), want a refusal", in, got, err)
		}
	}
	a := &app{stdin: strings.NewReader("secret\n")}
	if _, ok, err := a.readPassword(t.Context(), false); ok || err != nil {
		t.Errorf("without the flag nothing is read: %v, %v", ok, err)
	}
}

// Every command that destroys what nothing brings back asks, and takes no answer from a pipe.
func TestDestroyingCommandsAsk(t *testing.T) {
	var asking []string
	forEachCommand((&app{}).rootCommand(), func(cmd *cobra.Command) {
		if cmd.Flags().Lookup("yes") != nil {
			asking = append(asking, cmd.CommandPath())
		}
	})
	if !slices.Contains(asking, "latchkey user delete") {
		t.Errorf("asking are %q", asking)
	}
	for _, answer := range []string{"", "n\n", "y\n", "yes\n", "yes\ny\n"} {
		a := &app{stdin: strings.NewReader(answer), stderr: io.Discard}
		if err := a.confirm(t.Context(), "Delete it?", false); !errors.As(err, new(usageError)) {
			t.Errorf("%q through a pipe: %v, want wrong usage", answer, err)
		}
		if err := a.confirm(t.Context(), "Delete it?", true); err != nil {
			t.Errorf("--yes: %v", err)
		}
	}
}
