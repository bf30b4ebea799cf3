package load

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestPercentiles(t *testing.T) {
	var s Samples
	for i := range 100 {
		s.Done = append(s.Done, Sample{Took: time.Duration(100-i) * time.Millisecond})
	}
	got := s.Percentiles(0, 0.5, 0.9, 0.99, 1)
	for i, want := range []time.Duration{1, 50, 90, 99, 100} {
		if got[i] != want*time.Millisecond {
			t.Errorf("percentile %d is %v, want %v ms", i, got[i], want)
		}
	}
	if none := (Samples{}).Percentiles(0.5); none[0] != 0 {
		t.Errorf("of nothing: %v", none[0])
	}
}

// addrOf starts a server and returns where it listens.
func addrOf(t *testing.T, h http.HandlerFunc) string {
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

func get(conn *Conn) (string, error) {
	a, err := conn.Do(Request{Method: http.MethodGet, Path: "/"})
	if err == nil && a.Status != http.StatusOK {
		err = errors.New(http.StatusText(a.Status))
	}
	return "get", err
}

// A server that stops for a while keeps all those waiting who come meanwhile, those that could not even
// be sent included. A closed loop sees one slow request; the open loop must see them all.
func TestOpenLoopCountsPauses(t *testing.T) {
	const pause = 400 * time.Millisecond
	var began atomic.Int64
	addr := addrOf(t, func(http.ResponseWriter, *http.Request) {
		now := time.Now().UnixNano()
		began.CompareAndSwap(0, now)
		since := time.Duration(now - began.Load())
		if from := 300 * time.Millisecond; since > from && since < from+pause {
			time.Sleep(from + pause - since)
		}
	})
	w := Window{Addr: addr, For: time.Second}
	got := Open(t.Context(), w, Pace{Rate: 200}, []Act{get, get})["get"]
	if got == nil || len(got.Done) != 200 || got.Asked != 200 || got.Failed != 0 {
		t.Fatalf("got %+v, want 200 answers", got)
	}
	slow := 0
	for _, d := range got.Done {
		if d.Took > pause/4 {
			slow++
		}
	}
	if slow < 50 { // of the 80 that were due in the pause, three quarters wait longer than a quarter of it
		t.Errorf("%d requests waited, want at least 50", slow)
	}
}

func TestClosedLoopCountsItsWindow(t *testing.T) {
	var served atomic.Int64
	addr := addrOf(t, func(http.ResponseWriter, *http.Request) {
		served.Add(1)
		time.Sleep(10 * time.Millisecond)
	})
	var begun, ended atomic.Int64
	w := Window{
		Addr: addr, Warm: 100 * time.Millisecond, For: 300 * time.Millisecond,
		Began: func() { begun.Store(served.Load()) }, Ended: func() { ended.Store(served.Load()) },
	}
	got := Closed(t.Context(), w, []Act{get, get, get})["get"]
	if got == nil || got.Failed != 0 {
		t.Fatalf("got %+v", got)
	}
	if most := ended.Load() - begun.Load() + 3; len(got.Done) < 20 || int64(len(got.Done)) > most {
		t.Errorf("%d answers counted, want 20 to %d", len(got.Done), most)
	}
	if begun.Load() == 0 {
		t.Error("the warm-up did nothing")
	}
}

// A caller that has nothing left ends the window: the rate is of the time in which all had work.
func TestClosedLoopEndsWhenWorkIsOut(t *testing.T) {
	addr := addrOf(t, func(http.ResponseWriter, *http.Request) {})
	left := 50
	act := func(conn *Conn) (string, error) {
		if left--; left < 0 {
			return "get", ErrOut
		}
		return get(conn)
	}
	began := time.Now()
	got := Closed(t.Context(), Window{Addr: addr, For: time.Minute}, []Act{act})["get"]
	if got == nil || len(got.Done) > 50 || time.Since(began) > 30*time.Second || got.Window > 30*time.Second {
		t.Errorf("got %+v after %v", got, time.Since(began))
	}
}

func TestFailuresAreCounted(t *testing.T) {
	addr := addrOf(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	got := Closed(t.Context(), Window{Addr: addr, For: 100 * time.Millisecond}, []Act{get})["get"]
	if got == nil || len(got.Done) != 0 || got.Failed == 0 || got.Mistake == nil {
		t.Errorf("got %+v", got)
	}
}

func TestConn(t *testing.T) {
	long := strings.Repeat("x", 100_000)
	connections := map[string]bool{}
	addr := addrOf(t, func(w http.ResponseWriter, r *http.Request) {
		connections[r.RemoteAddr] = true
		if r.Header.Get("Authorization") != "Bearer t" || r.Header.Get("X-Latchkey-Device") != "d" {
			w.WriteHeader(http.StatusUnauthorized)
		}
		switch r.URL.Path {
		case "/long":
			_, _ = w.Write([]byte(long)) // chunked
		case "/exact":
			_, _ = w.Write([]byte(long[:8<<10])) // as long as the first buffer
		}
	})
	conn := NewConn(addr, nil)
	defer conn.Close()
	for _, test := range []struct {
		path string
		want int
	}{{"/none", 0}, {"/exact", 8 << 10}, {"/long", len(long)}, {"/exact", 8 << 10}, {"/none", 0}} {
		a, err := conn.Do(Request{Method: http.MethodPost, Path: test.path, Bearer: "t", Device: "d", Body: "{}"})
		if err != nil || a.Status != http.StatusOK || len(a.Body) != test.want {
			t.Errorf("%s: status %d, %d bytes, %v; want %d bytes", test.path, a.Status, len(a.Body), err, test.want)
		}
	}
	if len(connections) != 1 {
		t.Errorf("%d connections, want one that is kept", len(connections))
	}
}

// A server closes connections that are idle for long; that is nobody's failure.
func TestIdleConnectionIsDialledAgain(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	s.Config.IdleTimeout = 50 * time.Millisecond
	s.Start()
	t.Cleanup(s.Close)
	conn := NewConn(s.Listener.Addr().String(), nil)
	defer conn.Close()
	for range 2 {
		if _, err := get(conn); err != nil {
			t.Fatal(err)
		}
		time.Sleep(200 * time.Millisecond)
		conn.used = conn.used.Add(-staleAfter)
	}
	time.Sleep(200 * time.Millisecond)
	conn.used = time.Now()
	if _, err := get(conn); err == nil {
		t.Error("a connection that was closed in use must be told of")
	}
}

func TestOpenLoopStops(t *testing.T) {
	addr := addrOf(t, func(http.ResponseWriter, *http.Request) {})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	began := time.Now()
	Open(ctx, Window{Addr: addr, For: time.Minute}, Pace{Rate: 10, Random: true}, []Act{get})
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %v to stop", took)
	}
}
