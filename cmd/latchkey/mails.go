package main

// latchkey mail: the outbox, and whether the mail server takes our mail.

import (
	"cmp"
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"latchkey/api"
	"latchkey/internal/auth"
	"latchkey/internal/outbox"
)

func (a *app) mailCommands() *cobra.Command {
	return group("mail", "Outbox: list, show, retry; test the mail server", a.mailList(), a.mailShow(), a.mailRetry(), a.mailTest())
}

// outgoing is an outbox row as it is printed: neither body nor link is kept anywhere.
type outgoing struct {
	ID        string   `json:"id"`
	Kind      string   `json:"kind"`
	State     string   `json:"state"`
	To        string   `json:"to,omitempty"`
	CreatedAt api.Time `json:"createdAt"`
	NextTryAt api.Time `json:"nextTryAt,omitzero"`
	ExpiresAt api.Time `json:"expiresAt,omitzero"`
	Tries     int64    `json:"tries"`
	EndedAt   api.Time `json:"endedAt,omitzero"`
	LastError string   `json:"lastError,omitempty"`
	Answer    string   `json:"answer,omitempty"` // the mail server's last
	MessageID string   `json:"messageId,omitempty"`
	UserID    string   `json:"userId,omitempty"`
}

func outgoingOf(m outbox.Mail) outgoing {
	o := outgoing{m.ID, m.Kind, m.Outcome, m.To, at(m.CreatedAt), api.Time{}, at(m.ExpiresAt), m.Tries, at(m.EndedAt), m.LastError,
		m.Answer, m.MessageID, m.UserID}
	if m.Outcome == "" {
		o.State, o.NextTryAt = "waiting", at(m.NextTryAt)
	}
	return o
}

func (o outgoing) columns() []string {
	return []string{o.ID, o.Kind, o.State, stamp(o.CreatedAt), fmt.Sprint(o.Tries), o.about(), o.MessageID, cmp.Or(o.LastError, o.Answer)}
}

// about is to whom it is or was, as far as that is known: the address is wiped when it is no longer needed.
func (o outgoing) about() string {
	if o.To == "" && o.UserID != "" {
		return o.Kind + " of user " + o.UserID
	}
	return o.To
}

func (a *app) mailList() *cobra.Command {
	cmd := leaf("list", "List the outbox, newest first", nil)
	asJSON := jsonFlag(cmd)
	waiting := cmd.Flags().Bool("waiting", false, "only what is still to be sent")
	email := cmd.Flags().String("email", "", "only what is or was to this address")
	limit := cmd.Flags().Int("limit", 100, "how many at most")
	cmd.RunE = a.withService(wantCurrent, func(ctx context.Context, svc *auth.Service) error {
		if *limit < 1 {
			return usageError{fmt.Errorf("--limit is %d: write a number from 1", *limit)}
		}
		list, err := svc.Outbox().List(ctx, outbox.Query{Email: *email, Waiting: *waiting, Limit: *limit})
		if err != nil {
			return err
		}
		return listing(a, *asJSON, "ID KIND STATE CREATED TRIES TO MESSAGE-ID LAST-ANSWER", each(list, outgoingOf))
	})
	return cmd
}

func (a *app) mailShow() *cobra.Command {
	cmd := leaf("show", "Show one mail of the outbox", nil)
	id, asJSON := idFlag(cmd, "mail"), jsonFlag(cmd)
	cmd.RunE = a.withService(wantCurrent, func(ctx context.Context, svc *auth.Service) error {
		m, err := svc.Outbox().ByID(ctx, *id)
		if err != nil {
			return err
		}
		o := outgoingOf(m)
		return a.details(*asJSON, o, "id", o.ID, "kind", o.Kind, "state", o.State, "to", o.To, "user", o.UserID,
			"created", stamp(o.CreatedAt), "next try", stamp(o.NextTryAt), "expires", stamp(o.ExpiresAt),
			"tries", fmt.Sprint(o.Tries), "ended", stamp(o.EndedAt), "message id", o.MessageID, "last answer", o.Answer, "last error", o.LastError)
	})
	return cmd
}

func (a *app) mailRetry() *cobra.Command {
	cmd := leaf("retry", "Try a waiting or refused mail again now", nil)
	id := idFlag(cmd, "mail")
	cmd.RunE = a.withService(wantCurrent, func(ctx context.Context, svc *auth.Service) error {
		if err := svc.Outbox().Retry(ctx, *id); err != nil {
			return err
		}
		return a.say("mail %s is due now; the running server sends it", *id)
	})
	return cmd
}

func (a *app) mailTest() *cobra.Command {
	var to string
	cmd := leaf("test", "Send one mail now and say what the mail server answered", nil)
	required(cmd, &to, "to", "who gets it")
	cmd.RunE = a.withService(wantCurrent, func(ctx context.Context, svc *auth.Service) error {
		c, err := loadConfig(a.env, a.configFile)
		if err != nil {
			return err
		}
		for _, warning := range c.mailWarnings() {
			fmt.Fprintln(a.stderr, "warning:", warning)
		}
		answer, err := svc.TestMail(ctx, to)
		if err != nil {
			return err
		}
		return a.say("the mail server took a mail for %s and answered: %s", to, answer)
	})
	return cmd
}
