package outbox_test

// What becomes of a mail by what composing it says.

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"latchkey/internal/authtest"
	"latchkey/internal/mail"
	"latchkey/internal/outbox"
	"latchkey/internal/store"
	"latchkey/internal/token"
)

// composer is what Options.Compose is.
type composer func(context.Context, store.Mail, outbox.Request) (outbox.Composed, error)

func hello(_ context.Context, row store.Mail, r outbox.Request) (outbox.Composed, error) {
	return outbox.Composed{UserID: "ada", Message: mail.Message{
		ID: row.ID, From: "Latchkey <no-reply@example.com>", To: r.To, Subject: "Hello", Text: "Hello.", Date: row.CreatedAt,
	}}, nil
}

// node is an outbox of one process.
type node struct {
	*outbox.Outbox
	store *store.Store
	clock *authtest.Clock
	inbox *mail.Inbox
	told  []string
}

func newNode(t *testing.T, s *store.Store, masterKeys string, compose composer) *node {
	t.Helper()
	master, err := token.ParseMasterKeys(masterKeys)
	if err != nil {
		t.Fatal(err)
	}
	n := &node{store: s, clock: &authtest.Clock{}, inbox: mail.NewInbox(10)}
	n.Outbox = outbox.New(outbox.Options{
		Store: s, Master: master, Sender: n.inbox, Compose: compose,
		Now: func() time.Time { return n.clock.Now().UTC().Truncate(time.Microsecond) },
		Log: slog.New(slog.DiscardHandler), OnMail: func(outcome string) { n.told = append(n.told, outcome) },
	})
	return n
}

// ask asks for a reset mail, which is worth an hour.
func (n *node) ask(t *testing.T, email string) {
	t.Helper()
	err := n.store.Write(t.Context(), func(tx *store.Tx) error {
		return n.Ask(tx, mail.Reset, outbox.Request{To: email}, time.Hour, n.clock.Now())
	})
	if err != nil {
		t.Fatal(err)
	}
}

// deliver delivers one mail, and returns the newest to an address.
func (n *node) deliver(t *testing.T, email string) outbox.Mail {
	t.Helper()
	if more, err := n.DeliverNext(t.Context()); !more || err != nil {
		t.Fatalf("deliver: %t, %v", more, err)
	}
	list, err := n.List(t.Context(), outbox.Query{Email: email, Limit: 1})
	if err != nil || len(list) != 1 {
		t.Fatalf("%+v, %v", list, err)
	}
	return list[0]
}

// What a later try may fix postpones a mail, and never refuses it: it would be lost.
func TestComposingDecides(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		var outcome string
		var trouble error
		n := newNode(t, db.Open(t), authtest.Master, func(ctx context.Context, row store.Mail, r outbox.Request) (outbox.Composed, error) {
			c, _ := hello(ctx, row, r)
			c.Outcome = outcome
			return c, trouble
		})
		n.clock.Stop() // what is postponed stays so
		for i, tc := range []struct {
			name    string
			trouble error
			outcome string
			ends    string // empty: it waits
			told    string
			sent    int
		}{
			{"a message", nil, "", outbox.Sent, outbox.Sent, 1},
			{"nobody to write to", nil, outbox.NoAccount, outbox.NoAccount, outbox.NoAccount, 0},
			{"the database is away", fmt.Errorf("%w: gone", store.ErrUnavailable), "", "", "postponed", 0},
			{"a master key is missing", fmt.Errorf("sign link: %w", token.ErrUnknownMasterKey), "", "", "postponed", 0},
			{"a defect", errors.New("no such kind"), "", outbox.Refused, outbox.Refused, 0},
		} {
			outcome, trouble, n.told = tc.outcome, tc.trouble, nil
			sent := len(n.inbox.Messages())
			email := fmt.Sprintf("user%d@example.com", i)
			n.ask(t, email)
			m := n.deliver(t, email)
			if m.Outcome != tc.ends || m.UserID != "ada" || m.Tries != 1 || !slices.Equal(n.told, []string{tc.told}) || len(n.inbox.Messages()) != sent+tc.sent {
				t.Errorf("%s: %+v, told %v", tc.name, m, n.told)
			}
			if tc.trouble != nil && m.LastError != tc.trouble.Error() {
				t.Errorf("%s: the operator reads %q", tc.name, m.LastError)
			}
		}
	})
}

// A mail under a master key that this process does not have waits: one that has the key sends it, or this one once it has.
func TestMailUnderAMissingMasterKeyWaits(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		s, fresh := db.Open(t), token.NewMasterKey()
		both := newNode(t, s, fresh+","+authtest.Master, hello)
		newNode(t, s, authtest.Master, hello).ask(t, "ada@example.com")
		if more, err := newNode(t, s, fresh, hello).DeliverNext(t.Context()); !more || err != nil {
			t.Fatalf("without the key: %t, %v", more, err)
		}
		list, err := both.List(t.Context(), outbox.Query{Limit: 10})
		if err != nil || len(list) != 1 || list[0].Outcome != "" || list[0].Tries != 1 || !strings.Contains(list[0].LastError, "unknown master key") {
			t.Errorf("after a try without the key: %+v, %v", list, err)
		}
		both.clock.Advance(time.Minute)
		if m := both.deliver(t, "ada@example.com"); m.Outcome != outbox.Sent || len(both.inbox.Messages()) != 1 {
			t.Errorf("with the key: %+v", m)
		}
	})
}

// A mailbox is asked for a mail once a minute and five times an hour, and a count that is cleared begins anew.
func TestBudgetOfAMailbox(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		n := newNode(t, db.Open(t), authtest.Master, hello)
		n.clock.Stop()
		waiting := func(want int64, when string) {
			t.Helper()
			if got, _, err := n.Waiting(t.Context()); err != nil || got != want {
				t.Errorf("%s: %d mails wait, want %d: %v", when, got, want, err)
			}
		}
		n.ask(t, "ada@example.com")
		n.ask(t, "ada@example.com")
		waiting(1, "twice in a minute")
		for range 9 {
			n.clock.Advance(time.Minute)
			n.ask(t, "ada@example.com")
		}
		waiting(5, "ten times in ten minutes")
		err := n.store.Write(t.Context(), func(tx *store.Tx) error { return n.ClearBudget(tx, mail.Reset, "ada@example.com") })
		if err != nil {
			t.Fatal(err)
		}
		n.ask(t, "ada@example.com")
		waiting(6, "cleared")
		n.clock.Advance(50 * time.Minute)
		if _, oldest, err := n.Waiting(t.Context()); err != nil || oldest != 59*time.Minute {
			t.Errorf("the oldest waits for %v, %v", oldest, err)
		}
	})
}
