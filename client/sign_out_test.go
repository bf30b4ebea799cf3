package client_test

// Signing out, and the mark that a sign-out leaves.

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"latchkey/api"
	"latchkey/client"
)

func TestSignOut(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	app, s := n.signedIn(t)
	other := beside(t, app, "two")
	sent := readFile(t, app.File)
	if err := s.SignOut(soon(t)); err != nil {
		t.Fatal(err)
	}
	for _, s := range []*client.Session{s, other} {
		if _, err := s.Token(soon(t)); !errors.Is(err, client.ErrSignedOut) {
			t.Errorf("%v", err)
		}
		if err := s.SignOut(soon(t)); err != nil {
			t.Errorf("the second time: %v", err)
		}
	}
	if names := namesIn(t, filepath.Dir(app.File)); !slices.Equal(names, []string{"session.json.ended"}) {
		t.Errorf("there are %v", names)
	}
	if info, err := os.Stat(app.File + ".ended"); err != nil || info.Mode() != 0o600 {
		t.Errorf("the mark: %v, %v", info.Mode(), err)
	}
	_, err := n.RefreshApp(t.Context(), api.RefreshTokenRequest{ClientID: "cli", RefreshToken: sent.RefreshToken})
	if client.CodeOf(err) != api.CodeInvalidGrant {
		t.Errorf("the server has not ended it: %v", err)
	}
	if _, err := client.SignIn(soon(t), app); err == nil {
		t.Error("the next start is signed in")
	}
}

// R11: on this machine the session has ended, whatever the server says.
func TestR11SignOutWithoutTheServer(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	app, s := n.signedIn(t)
	n.HTTP.Config.Handler = http.NotFoundHandler()
	if err := s.SignOut(soon(t)); err == nil || !strings.Contains(err.Error(), "the server was not told") {
		t.Errorf("%v", err)
	}
	if _, err := s.Token(soon(t)); !errors.Is(err, client.ErrSignedOut) || exists(app.File) {
		t.Errorf("%v", err)
	}
}

// R11: a sign-out while a refresh is under way, in this process or another one: what the server gives is not kept.
func TestR11SignOutWhileARefreshIsUnderWay(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	for _, by := range []string{"one", "two"} {
		t.Run(by, func(t *testing.T) {
			app, one := n.signedIn(t)
			leaver := one
			if by == "two" {
				leaver = beside(t, app, "two")
			}
			n.jump(n.until(t, app.File, time.Minute))
			n.answers(func(_ asking, server func() *httptest.ResponseRecorder) *httptest.ResponseRecorder {
				got := server()
				if err := leaver.SignOut(soon(t)); err != nil {
					t.Error(err)
				}
				return got
			})
			if token, err := one.Token(soon(t)); !errors.Is(err, client.ErrSignedOut) || token != "" {
				t.Errorf("%v", err)
			}
			if names := namesIn(t, filepath.Dir(app.File)); !slices.Equal(names, []string{"session.json.ended"}) {
				t.Errorf("there are %v", names)
			}
			n.answers(nil)
		})
	}
}

// R11: a sign-out between the last look at the mark and the renaming: the file is taken back. The mark is a pipe here, so
// that its reader is held up while another process marks and removes, and is killed.
func TestR11TheMarkIsReadAfterTheRenaming(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	app, one := n.signedIn(t)
	sid := readFile(t, app.File).SessionID
	n.jump(n.until(t, app.File, time.Minute))
	mark := app.File + ".ended"
	piped := make(chan struct{})
	n.answers(func(_ asking, server func() *httptest.ResponseRecorder) *httptest.ResponseRecorder {
		if err := syscall.Mkfifo(mark, 0o600); err != nil {
			t.Error(err)
		}
		close(piped)
		return server()
	})
	over := make(chan error, 1)
	go func() {
		_, err := one.Token(soon(t))
		over <- err
	}()
	<-piped
	pipe, err := os.OpenFile(mark, os.O_WRONLY, 0) // once somebody reads it
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(mark); err != nil {
		t.Fatal(err)
	}
	writeFile(t, mark, fmt.Sprintf(`{"v":1,"ended":{%q:%d}}`, sid, time.Now().UnixMilli()))
	if err := os.Remove(app.File); err != nil {
		t.Fatal(err)
	}
	if err := pipe.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-over; !errors.Is(err, client.ErrSignedOut) {
		t.Errorf("%v", err)
	}
	if exists(app.File) {
		t.Error("the session is back")
	}
}

// R11: the mark comes before the file goes: until it is there, the file is. The mark is a pipe here, so that its reader is
// held up.
func TestR11TheMarkComesFirst(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	app, s := n.signedIn(t)
	mark := app.File + ".ended"
	if err := syscall.Mkfifo(mark, 0o600); err != nil {
		t.Fatal(err)
	}
	over := make(chan error, 1)
	go func() { over <- s.SignOut(soon(t)) }()
	for reads := 0; ; time.Sleep(time.Millisecond) {
		select {
		case err := <-over:
			if err != nil || exists(app.File) || reads < 2 {
				t.Errorf("it ends with %v; the mark was read %d times", err, reads)
			}
			return
		default:
		}
		pipe, err := os.OpenFile(mark, os.O_WRONLY|syscall.O_NONBLOCK, 0)
		if errors.Is(err, syscall.ENXIO) { // nobody reads it
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		reads++
		if gone := !exists(app.File); gone && !isRegular(mark) {
			t.Error("the file is gone, and there is no mark")
		}
		if err := pipe.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func isRegular(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// R11: a token of a marked session that still lies in the file is not used, and removed.
func TestR11AMarkedSessionIsNotUsed(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	app, s := n.signedIn(t)
	sid := readFile(t, app.File).SessionID
	writeFile(t, app.File+".ended", fmt.Sprintf(`{"v":1,"ended":{%q:%d}}`, sid, time.Now().UnixMilli()))
	if _, err := s.Token(soon(t)); !errors.Is(err, client.ErrSignedOut) || exists(app.File) {
		t.Errorf("%v", err)
	}
}

// The mark keeps the newest 20 sessions, for 30 days.
func TestWhatTheMarkKeeps(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	ago := func(d time.Duration) int64 { return time.Now().Add(-d).UnixMilli() }
	many := map[string]int64{}
	for i := range 30 {
		many[fmt.Sprint(i)] = ago(time.Duration(i) * time.Hour)
	}
	for name, tt := range map[string]struct {
		ended map[string]int64
		want  map[string]bool
		count int
	}{
		"the newest": {many, map[string]bool{"0": true, "18": true, "19": false}, 20},
		"for a time": {map[string]int64{"a": ago(29 * 24 * time.Hour), "b": ago(31 * 24 * time.Hour)}, map[string]bool{"a": true, "b": false}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			app, s := n.signedIn(t)
			sid := readFile(t, app.File).SessionID
			writeFile(t, app.File+".ended", map[string]any{"v": 1, "ended": tt.ended})
			if err := s.SignOut(soon(t)); err != nil {
				t.Fatal(err)
			}
			var mark struct {
				Version int              `json:"v"`
				Ended   map[string]int64 `json:"ended"`
			}
			raw, err := os.ReadFile(app.File + ".ended")
			if err == nil {
				err = json.Unmarshal(raw, &mark)
			}
			if err != nil {
				t.Fatal(err)
			}
			tt.want[sid] = true
			for name, want := range tt.want {
				if _, got := mark.Ended[name]; got != want {
					t.Errorf("%s is kept: %t, want %t", name, got, want)
				}
			}
			if len(mark.Ended) != tt.count || mark.Version != 1 {
				t.Errorf("the mark is %s", raw)
			}
		})
	}
}

// What a killed process has left half-written goes with the next writing after a minute, and at a sign-out at once.
func TestHalfWrittenFilesGo(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	app, s := n.signedIn(t)
	old, young, others := app.File+".123.tmp", app.File+".456.tmp", app.File+".x.tmp"
	for _, name := range []string{old, young, others} {
		writeFile(t, name, "x")
	}
	long := time.Now().Add(-2 * time.Minute)
	if err := os.Chtimes(old, long, long); err != nil {
		t.Fatal(err)
	}
	n.pass(n.until(t, app.File, time.Minute))
	mustToken(t, s)
	if exists(old) || !exists(young) {
		t.Error("after a refresh the wrong ones are there")
	}
	if err := s.SignOut(soon(t)); err != nil {
		t.Fatal(err)
	}
	if exists(young) || !exists(others) {
		t.Error("after a sign-out the wrong ones are there")
	}
}
