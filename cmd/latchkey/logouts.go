package main

// latchkey logout: which apps are still to be told of sessions that have ended, and what came of telling them.

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"latchkey/api"
	"latchkey/internal/auth"
	"latchkey/internal/logouts"
)

func (a *app) logoutCommands() *cobra.Command {
	return group("logout", "Back-channel logout, by which apps learn of ended sessions: list, show, retry", a.logoutList(), a.logoutShow(), a.logoutRetry())
}

// farewell is what an app was or is to be told of one session, as it is printed.
type farewell struct {
	SessionID string   `json:"sessionId"`
	UserID    string   `json:"userId"`
	Client    string   `json:"client"`
	State     string   `json:"state"`
	CreatedAt api.Time `json:"createdAt"`
	NextTryAt api.Time `json:"nextTryAt,omitzero"`
	ExpiresAt api.Time `json:"expiresAt"`
	Tries     int64    `json:"tries"`
	EndedAt   api.Time `json:"endedAt,omitzero"`
	LastError string   `json:"lastError,omitempty"`
}

func farewellOf(l logouts.Logout) farewell {
	f := farewell{l.SessionID, l.UserID, l.Client, l.Outcome, at(l.CreatedAt), api.Time{}, at(l.ExpiresAt), l.Tries, at(l.EndedAt), l.LastError}
	if l.Outcome == "" {
		f.State, f.NextTryAt = "waiting", at(l.NextTryAt)
	}
	return f
}

func (f farewell) columns() []string {
	return []string{f.SessionID, f.Client, f.State, stamp(f.CreatedAt), fmt.Sprint(f.Tries), f.LastError}
}

func (a *app) logoutList() *cobra.Command {
	cmd := leaf("list", "List what apps were or are to be told, newest first", nil)
	asJSON := jsonFlag(cmd)
	waiting := cmd.Flags().Bool("waiting", false, "only what is still to be told")
	client := cmd.Flags().String("client", "", "only what this client alias was or is to be told")
	limit := cmd.Flags().Int("limit", 100, "how many at most")
	cmd.RunE = a.withService(wantCurrent, func(ctx context.Context, svc *auth.Service) error {
		if *limit < 1 {
			return usageError{fmt.Errorf("--limit is %d: write a number from 1", *limit)}
		}
		list, err := svc.Logouts().List(ctx, logouts.Query{Client: *client, Waiting: *waiting, Limit: *limit})
		if err != nil {
			return err
		}
		return listing(a, *asJSON, "SESSION CLIENT STATE CREATED TRIES LAST-ERROR", each(list, farewellOf))
	})
	return cmd
}

func (a *app) logoutShow() *cobra.Command {
	cmd := leaf("show", "Show what came of telling an app that one session has ended", nil)
	id, asJSON := idFlag(cmd, "session"), jsonFlag(cmd)
	cmd.RunE = a.withService(wantCurrent, func(ctx context.Context, svc *auth.Service) error {
		l, err := svc.Logouts().ByID(ctx, *id)
		if err != nil {
			return err
		}
		f := farewellOf(l)
		return a.details(*asJSON, f, "session", f.SessionID, "user", f.UserID, "client", f.Client, "state", f.State,
			"created", stamp(f.CreatedAt), "next try", stamp(f.NextTryAt), "expires", stamp(f.ExpiresAt),
			"tries", fmt.Sprint(f.Tries), "ended", stamp(f.EndedAt), "last error", f.LastError)
	})
	return cmd
}

func (a *app) logoutRetry() *cobra.Command {
	cmd := leaf("retry", "Tell an app again now that a session has ended", nil)
	id := idFlag(cmd, "session")
	cmd.RunE = a.withService(wantCurrent, func(ctx context.Context, svc *auth.Service) error {
		if err := svc.Logouts().Retry(ctx, *id); err != nil {
			return err
		}
		return a.say("the app of session %s is due to be told; the running server does it", *id)
	})
	return cmd
}
