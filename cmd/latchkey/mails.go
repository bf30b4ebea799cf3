package main

// latchkey mail: the outbox, and whether the mail server takes our mail.

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"latchkey/api"
	"latchkey/internal/auth"
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
}

func outgoingOf(m auth.Mail) outgoing {
	o := outgoing{m.ID, m.Kind, m.Outcome, m.To, at(m.CreatedAt), api.Time{}, at(m.ExpiresAt), m.Tries, at(m.EndedAt), m.LastError}
	if m.Outcome == "" {
		o.State, o.NextTryAt = "waiting", at(m.NextTryAt)
	}
	return o
}

func (o outgoing) columns() []string {
	return []string{o.ID, o.Kind, o.State, stamp(o.CreatedAt), fmt.Sprint(o.Tries), o.To, o.LastError}
}

func (a *app) mailList() *cobra.Command {
	cmd := leaf("list", "List the outbox, newest first", nil)
	asJSON := jsonFlag(cmd)
	waiting := cmd.Flags().Bool("waiting", false, "only what is still to be sent")
	limit := cmd.Flags().Int("limit", 100, "how many at most")
	cmd.RunE = a.withService(wantCurrent, func(ctx context.Context, svc *auth.Service) error {
		if *limit < 1 {
			return usageError{fmt.Errorf("--limit is %d: write a number from 1", *limit)}
		}
		list, err := svc.Mails(ctx, *waiting, *limit)
		if err != nil {
			return err
		}
		return listing(a, *asJSON, "ID KIND STATE CREATED TRIES TO LAST-ERROR", each(list, outgoingOf))
	})
	return cmd
}

func (a *app) mailShow() *cobra.Command {
	cmd := leaf("show", "Show one mail of the outbox", nil)
	id, asJSON := idFlag(cmd, "mail"), jsonFlag(cmd)
	cmd.RunE = a.withService(wantCurrent, func(ctx context.Context, svc *auth.Service) error {
		m, err := svc.MailByID(ctx, *id)
		if err != nil {
			return err
		}
		o := outgoingOf(m)
		return a.details(*asJSON, o, "id", o.ID, "kind", o.Kind, "state", o.State, "to", o.To,
			"created", stamp(o.CreatedAt), "next try", stamp(o.NextTryAt), "expires", stamp(o.ExpiresAt),
			"tries", fmt.Sprint(o.Tries), "ended", stamp(o.EndedAt), "last error", o.LastError)
	})
	return cmd
}

func (a *app) mailRetry() *cobra.Command {
	cmd := leaf("retry", "Try a waiting mail again now", nil)
	id := idFlag(cmd, "mail")
	cmd.RunE = a.withService(wantCurrent, func(ctx context.Context, svc *auth.Service) error {
		if err := svc.RetryMail(ctx, *id); err != nil {
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
		answer, err := svc.TestMail(ctx, to)
		if err != nil {
			return err
		}
		return a.say("the mail server took a mail for %s and answered: %s", to, answer)
	})
	return cmd
}
