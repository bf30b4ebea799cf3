package main

// latchkey session: who is signed in, and why somebody no longer is.

import (
	"context"

	"github.com/spf13/cobra"

	"latchkey/api"
	"latchkey/internal/auth"
)

func (a *app) sessionCommands() *cobra.Command {
	return group("session", "Sessions: list, end, explain", a.sessionList(), a.sessionEnd(), a.sessionExplain())
}

// session is a session as it is printed. No token, hash or generation is in it.
type session struct {
	ID         string   `json:"id"`
	UserID     string   `json:"userId"`
	Client     string   `json:"client"`
	CreatedAt  api.Time `json:"createdAt"`
	LastUsedAt api.Time `json:"lastUsedAt"`
	ExpiresAt  api.Time `json:"expiresAt"`
	EndedAt    api.Time `json:"endedAt,omitzero"`
	EndReason  string   `json:"endReason,omitempty"`
	Browser    string   `json:"browser"`
	OS         string   `json:"os"`
	IP         string   `json:"ip"`
}

func sessionOf(s auth.Session) session {
	return session{s.ID, s.UserID, s.Client, at(s.CreatedAt), at(s.LastUsedAt), at(s.ExpiresAt), at(s.EndedAt), s.EndReason,
		s.Device.Browser, s.Device.OS, s.Device.Addr}
}

func (s session) columns() []string {
	end := "lives"
	if !s.EndedAt.IsZero() {
		end = s.EndReason
	}
	return []string{s.ID, end, stamp(s.CreatedAt), stamp(s.LastUsedAt), stamp(s.ExpiresAt), s.Client, s.IP, s.Browser + ", " + s.OS}
}

func (a *app) sessionList() *cobra.Command {
	cmd := leaf("list", "List an account's sessions, newest first", nil)
	email, asJSON := emailFlag(cmd), jsonFlag(cmd)
	ended := cmd.Flags().Bool("ended", false, "the ended ones of the last 30 days too")
	cmd.RunE = a.withService(wantCurrent, func(ctx context.Context, svc *auth.Service) error {
		list, err := svc.UserSessions(ctx, *email, *ended)
		if err != nil {
			return err
		}
		return listing(a, *asJSON, "ID STATE CREATED LAST-USED EXPIRES CLIENT IP DEVICE", each(list, sessionOf))
	})
	return cmd
}

func idFlag(cmd *cobra.Command, what string) *string {
	id := new(string)
	required(cmd, id, "id", "the id of the "+what)
	return id
}

func (a *app) sessionEnd() *cobra.Command {
	cmd := leaf("end", "End a session", nil)
	id := idFlag(cmd, "session")
	cmd.RunE = a.withService(wantCurrent, func(ctx context.Context, svc *auth.Service) error {
		if err := svc.RevokeSession(ctx, *id); err != nil {
			return err
		}
		return a.say("session %s is ended", *id)
	})
	return cmd
}

func (a *app) sessionExplain() *cobra.Command {
	cmd := leaf("explain", "Say why a session ended, or that it lives", nil)
	id, asJSON := idFlag(cmd, "session"), jsonFlag(cmd)
	cmd.RunE = a.withService(wantCurrent, func(ctx context.Context, svc *auth.Service) error {
		found, err := svc.ExplainSession(ctx, *id)
		if err != nil {
			return err
		}
		s := sessionOf(found.Session)
		report := struct {
			session
			Alive       bool   `json:"alive"`
			Reason      string `json:"reason,omitempty"`
			Explanation string `json:"explanation"`
		}{s, found.Alive, found.Reason, found.Words}
		ended := ""
		if !s.EndedAt.IsZero() {
			ended = stamp(s.EndedAt)
		}
		return a.details(*asJSON, report, "session", s.ID, "user", s.UserID, "client", s.Client,
			"created", stamp(s.CreatedAt), "last used", stamp(s.LastUsedAt), "expires", stamp(s.ExpiresAt),
			"ended", ended, "reason", found.Reason, "explanation", found.Words)
	})
	return cmd
}

// each turns what the rules say into what is printed.
func each[From, To any](list []From, turn func(From) To) []To {
	out := make([]To, 0, len(list))
	for _, item := range list {
		out = append(out, turn(item))
	}
	return out
}
