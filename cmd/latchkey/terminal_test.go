package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

// terminal opens a pseudo-terminal: what is written to user's end is read from the other.
func terminal(t *testing.T) (screen, user *os.File) {
	t.Helper()
	screen, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = screen.Close() })
	var locked, number int32
	for request, value := range map[uintptr]*int32{syscall.TIOCSPTLCK: &locked, syscall.TIOCGPTN: &number} {
		if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, screen.Fd(), request, uintptr(unsafe.Pointer(value))); errno != 0 {
			t.Fatal(errno)
		}
	}
	user, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = user.Close() })
	return screen, user
}

// The link that opens the mails is for a person at a terminal; a JSON log keeps it to itself even there.
func TestInboxLinkIsPrintedToATerminalAlone(t *testing.T) {
	for format, shown := range map[string]bool{"": true, "text": true, "json": false} {
		t.Run("LATCHKEY_LOG="+format, func(t *testing.T) {
			screen, user := terminal(t)
			data := filepath.Join(t.TempDir(), "data")
			ctx, stop := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() {
				err := run(ctx, []string{"serve"}, []string{
					"LATCHKEY_ADDR=127.0.0.1:0", "LATCHKEY_ADMIN_ADDR=", "LATCHKEY_DATA_DIR=" + data, "LATCHKEY_LOG=" + format,
				}, strings.NewReader(""), io.Discard, user)
				_ = user.Close()
				ended <- err
			}()
			watchdog := time.AfterFunc(time.Minute, func() { _ = screen.Close() })
			defer watchdog.Stop()
			var said strings.Builder
			for lines := bufio.NewScanner(screen); lines.Scan(); { // ends when the server has let go of the terminal
				said.WriteString(lines.Text() + "\n")
				if strings.Contains(lines.Text(), "no mail server is set") {
					stop()
				}
			}
			stop()
			if err := <-ended; err != nil {
				t.Error(err)
			}
			key, err := os.ReadFile(filepath.Join(data, inboxFile))
			if err != nil {
				t.Fatal(err)
			}
			link := "http://localhost:8080/dev/inbox?key=" + strings.TrimSpace(string(key))
			if strings.Contains(said.String(), link) != shown || strings.Contains(said.String(), strings.TrimSpace(string(key))) != shown {
				t.Errorf("link shown: %t, want %t:\n%s", !shown, shown, &said)
			}
		})
	}
}

func TestInboxKey(t *testing.T) {
	d := folder(filepath.Join(t.TempDir(), "data"))
	key, err := d.inboxKey()
	if err != nil || len(key) < 52 {
		t.Fatalf("%d letters, %v", len(key), err)
	}
	if err := os.Chmod(d.path(inboxFile), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := d.inboxKey(); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a key that others can read: %v", err)
	}
	if err := os.Chmod(d.path(inboxFile), 0o600); err != nil {
		t.Fatal(err)
	}
	if again, err := d.inboxKey(); err != nil || again != key {
		t.Errorf("same key: %t, %v", again == key, err)
	}
	for _, broken := range []string{"", "\n", "SHORT", string(key) + "?", "a b"} {
		if err := os.WriteFile(d.path(inboxFile), []byte(broken), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := d.inboxKey(); err == nil || !strings.Contains(err.Error(), inboxFile) || !strings.Contains(err.Error(), "remove it") {
			t.Errorf("key file %q: %v", broken, err)
		}
	}
}

// The window of a terminal was closed: the server ends in order, and none lives on that nobody sees.
func TestHangupAtATerminalEndsTheServer(t *testing.T) {
	c := &config{Terminal: true}
	ctx, hangups := c.takeHangups(t.Context())
	if hangups != nil {
		t.Error("a closed window asks for a reload")
	}
	for range 2 { // the shell sends another
		if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case <-ctx.Done():
	case <-time.After(time.Minute):
		t.Error("the server lives on")
	}
}
