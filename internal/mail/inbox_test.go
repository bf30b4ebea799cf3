package mail

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
)

func TestInboxKeepsTheNewest(t *testing.T) {
	b := NewInbox(3)
	for i := range 5 {
		m := testMessage()
		m.ID = strconv.Itoa(i)
		if _, err := b.Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	var got string
	for _, m := range b.Messages() {
		got += m.ID
	}
	if got != "432" {
		t.Errorf("mails %s, want 432", got)
	}
}

func TestInboxRefusesWhatSMTPWould(t *testing.T) {
	b := NewInbox(0)
	m := testMessage()
	m.Subject = "a\r\nBcc: eve@example.com"
	if _, err := b.Send(t.Context(), m); !errors.Is(err, ErrMalformed) {
		t.Errorf("error %v, want ErrMalformed", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.Send(ctx, testMessage()); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want Canceled", err)
	}
	if n := len(b.Messages()); n != 0 {
		t.Errorf("%d mails, want none", n)
	}
}

func TestInboxConcurrently(t *testing.T) {
	b := NewInbox(10)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				if _, err := b.Send(t.Context(), testMessage()); err != nil {
					t.Error(err)
				}
				_ = b.Messages()
			}
		})
	}
	wg.Wait()
	if n := len(b.Messages()); n != 10 {
		t.Errorf("%d mails, want 10", n)
	}
}
