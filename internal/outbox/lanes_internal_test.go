package outbox

// Which of the mails that are due may be claimed, by what is under way.

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"latchkey/internal/mail"
)

func TestLanes(t *testing.T) {
	now := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	under := func(l *lanes, domains ...string) (list []*flight) {
		for _, d := range domains {
			list = append(list, l.begin(d, d+" under another key"))
		}
		return list
	}
	for _, tt := range []struct {
		name        string
		under, slow []string
		domain      string
		next, first bool
	}{
		{"nothing under way", nil, nil, "a", true, true},
		{"one of the domain", []string{"a"}, nil, "a", true, false},
		{"two of the domain", []string{"a", "a"}, nil, "a", false, false},
		{"two of the domain, by its other name", []string{"a", "a"}, nil, "a under another key", false, false},
		{"two of another", []string{"b", "b"}, nil, "a", true, true},
		{"it is slow", nil, []string{"a"}, "a", true, false},
		{"it is slow, and so is one under way", []string{"b"}, []string{"a", "b"}, "a", true, false},
		{"it is slow, and so are two under way", []string{"b", "c"}, []string{"a", "b", "c"}, "a", false, false},
		{"slow ones hold half", []string{"b", "c"}, []string{"b", "c"}, "a", true, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := &lanes{slow: map[string]time.Time{}}
			flights := under(l, tt.under...)
			for _, d := range tt.slow {
				l.slow[d] = now.Add(slowFor)
			}
			if next, first := l.may(tt.domain, false, now), l.may(tt.domain, true, now); next != tt.next || first != tt.first {
				t.Errorf("may: %t, first tries %t; want %t, %t", next, first, tt.next, tt.first)
			}
			if !l.may(tt.domain, false, now.Add(slowFor)) && len(tt.slow) > 0 {
				t.Error("it is slow for ever")
			}
			for _, f := range flights {
				l.end(f)
			}
			if !l.may(tt.domain, false, now) {
				t.Error("what has ended still counts")
			}
		})
	}
}

// Of dialogues that turn out to be slow, those beyond half of the deliverers make room.
func TestSlowDialoguesMakeRoom(t *testing.T) {
	now := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	var l lanes
	var flights []*flight
	for _, d := range []string{"a", "b", "c", "d"} {
		flights = append(flights, l.begin(d))
	}
	for i, want := range []bool{false, false, true} {
		if got := l.tooSlow(flights[i], now); got != want {
			t.Errorf("the slow dialogue number %d makes room: %t", i+1, got)
		}
	}
	l.end(flights[2])
	if !l.tooSlow(flights[3], now.Add(slowFor-1)) {
		t.Error("the next one need not make room")
	}
	if l.tooSlow(flights[3], now.Add(slowFor)); len(l.slow) != 1 {
		t.Errorf("what was slow is remembered for ever: %v", l.slow)
	}
}

// A domain that a clock ahead found slow is not so for as long as that clock was ahead.
func TestClockStepAndSlowDomains(t *testing.T) {
	now := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	var l lanes
	l.tooSlow(&flight{domain: []string{"a"}}, now)
	if !l.isSlow("a", now) || !l.isSlow("a", now.Add(slowFor-1)) {
		t.Error("a slow domain is not slow")
	}
	if l.isSlow("a", now.Add(-6*time.Hour)) {
		t.Error("it is slow for hours after the clock was put back")
	}
}

func TestRegistrable(t *testing.T) {
	for email, want := range map[string]string{
		"ada@example.com":                  "example.com",
		"ada@mx1.mail.example.com":         "example.com",
		"ada@example.co.uk":                "example.co.uk",
		"ada@a.b.example.co.uk":            "example.co.uk",
		"ada@co.uk":                        "co.uk",
		"ada@com":                          "com",
		"ada@xn--mller-kva.example":        "xn--mller-kva.example",
		"ada@one.duckdns.org":              "duckdns.org", // anybody has as many of these as they like
		"ada@two.duckdns.org":              "duckdns.org",
		"ada@bucket.s3.amazonaws.com":      "amazonaws.com",
		"ada@school.k12.ca.us":             "school.k12.ca.us",
		"ada@mail.internal-suffix-unknown": "mail.internal-suffix-unknown",
	} {
		if got := registrable(email); got != want {
			t.Errorf("registrable(%q) = %q, want %q", email, got, want)
		}
	}
}

// relay takes so long to connect and greet, and so long for the mail.
type relay struct{ greets, takes time.Duration }

func (r relay) Send(ctx context.Context, _ mail.Message) (string, error) {
	time.Sleep(r.greets)
	mail.Ready(ctx)
	time.Sleep(r.takes)
	return "250 taken", nil
}

// A relay that is slow before it sees the mail is so for every domain, and makes none slow.
func TestOnlyTheLetterMakesADomainSlow(t *testing.T) {
	for _, tt := range []struct {
		relay relay
		slow  bool
	}{
		{relay{greets: 29 * time.Second}, false},
		{relay{greets: 29 * time.Second, takes: slowAfter - time.Second}, false},
		{relay{takes: slowAfter + time.Second}, true},
		{relay{greets: 20 * time.Second, takes: slowAfter + time.Second}, true},
	} {
		synctest.Test(t, func(t *testing.T) {
			b := &Outbox{o: Options{Sender: tt.relay, Now: time.Now}}
			f := b.lanes.begin("a")
			if answer, err := b.send(t.Context(), mail.Message{}, f); answer != "250 taken" || err != nil {
				t.Errorf("%+v: %q, %v", tt.relay, answer, err)
			}
			b.lanes.end(f)
			if got := !b.lanes.may("a", true, b.o.Now()); got != tt.slow {
				t.Errorf("%+v: the domain is slow: %t", tt.relay, got)
			}
		})
	}
}
