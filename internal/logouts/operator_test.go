package logouts_test

// What an operator may see, and have tried again.

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"latchkey/internal/authtest"
	"latchkey/internal/ids"
	"latchkey/internal/logouts"
)

func TestRetry(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		a := newApp(t, http.StatusBadRequest)
		r := newRoom(t, db, ordinary, at("shop", a.URL))
		retry := func(id string, want error, when string) {
			t.Helper()
			if err := r.Retry(t.Context(), id); !errors.Is(err, want) {
				t.Errorf("%s: %v, want %v", when, err, want)
			}
		}
		retry("x", logouts.ErrNoLogout, "no id")
		retry(ids.New(), logouts.ErrNoLogout, "unknown")
		id := r.ends(t, "shop")
		retry(id, nil, "due already")
		r.delivers(t)
		r.idle(t, "refused")
		retry(id, nil, "refused")
		a.answers(http.StatusInternalServerError)
		r.delivers(t)
		retry(id, logouts.ErrUnderWay, "to be tried within a minute")
		for range 6 {
			r.rig.Clock.Advance(5 * time.Minute)
			r.delivers(t)
		}
		retry(id, nil, "waits for long")
		a.answers(http.StatusOK)
		r.delivers(t)
		retry(id, logouts.ErrNoLogout, "told")
		if got := r.row(t, id); got.Outcome != logouts.Delivered || got.Tries != 9 {
			t.Errorf("%+v", got)
		}
		quiet := r.ends(t, "gone")
		r.delivers(t)
		retry(quiet, nil, "nobody wanted to know")
		r.delivers(t)
		r.rig.Clock.Advance(24 * time.Hour)
		retry(quiet, logouts.ErrTooLate, "a day later")
		if n := r.rig.Tally(t)["audit: logout_retried ok"]; n != 4 {
			t.Errorf("%d retries are in the audit log, want 4", n)
		}
	})
}

func TestListAndWaiting(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		a := newApp(t, http.StatusOK)
		r := newRoom(t, db, ordinary, at("shop", a.URL))
		began := r.rig.Clock.Now().UTC().Truncate(time.Microsecond)
		told := r.ends(t, "shop")
		r.delivers(t)
		r.rig.Clock.Advance(time.Minute)
		waits, other := r.ends(t, "shop"), ""
		r.rig.Clock.Advance(time.Minute)
		other = r.ends(t, "desk")
		find := func(q logouts.Query) (found []string) {
			t.Helper()
			q.Limit = 10
			list, err := r.List(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			for _, l := range list {
				found = append(found, l.SessionID)
			}
			return found
		}
		for name, tt := range map[string]struct{ want, got []string }{
			"all":              {[]string{other, waits, told}, find(logouts.Query{})},
			"of a client":      {[]string{waits, told}, find(logouts.Query{Client: "shop"})},
			"waiting":          {[]string{other, waits}, find(logouts.Query{Waiting: true})},
			"of a client more": {[]string{waits}, find(logouts.Query{Client: "shop", Waiting: true})},
			"of nobody":        {nil, find(logouts.Query{Client: "nobody"})},
		} {
			if diff := cmp.Diff(tt.want, tt.got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		}
		if n, oldest, err := r.Waiting(t.Context()); n != 2 || oldest != time.Minute || err != nil {
			t.Errorf("%d wait, the oldest for %v: %v", n, oldest, err)
		}
		want := logouts.Logout{
			SessionID: told, UserID: r.user.ID, Client: "shop", CreatedAt: began, ExpiresAt: began.Add(24 * time.Hour),
			Tries: 1, EndedAt: began, Outcome: logouts.Delivered, NextTryAt: began.Add(time.Minute),
		}
		if diff := cmp.Diff(want, r.row(t, told)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if _, err := r.ByID(t.Context(), ids.New()); !errors.Is(err, logouts.ErrNoLogout) {
			t.Errorf("unknown: %v", err)
		}
	})
}
