package mail

// The inbox of a development server: mails stay in memory, to be read at /dev/inbox.

import (
	"context"
	"fmt"
	"slices"
	"sync"
)

// Inbox keeps the newest mails, up to its capacity. It is safe for concurrent use.
type Inbox struct {
	capacity int

	mu       sync.Mutex
	messages []Message // oldest first
}

// NewInbox makes an Inbox of at least one mail.
func NewInbox(capacity int) *Inbox { return &Inbox{capacity: max(capacity, 1)} }

// Send keeps m, and refuses what SMTP would refuse: a mistake shows in development already.
func (b *Inbox) Send(ctx context.Context, m Message) (answer string, err error) {
	if err := ctx.Err(); err != nil {
		return "", fmt.Errorf("keep mail: %w", err)
	}
	if _, err := compose(m); err != nil {
		return "", fmt.Errorf("keep mail: %w", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.messages) == b.capacity {
		b.messages = slices.Delete(b.messages, 0, 1)
	}
	b.messages = append(b.messages, m)
	return "kept for /dev/inbox", nil
}

// Messages lists the kept mails, newest first.
func (b *Inbox) Messages() []Message {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := slices.Clone(b.messages)
	slices.Reverse(list)
	return list
}
