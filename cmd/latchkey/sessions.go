package main

// latchkey session: who is signed in, and why somebody no longer is.

import (
	"context"
	"errors"
	"fmt"

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
	Via        string   `json:"via"`
	Parent     string   `json:"parent,omitempty"`
	CreatedAt  api.Time `json:"createdAt"`
	LastUsedAt api.Time `json:"lastUsedAt"`
	ExpiresAt  api.Time `json:"expiresAt"`
	EndedAt    api.Time `json:"endedAt,omitzero"`
	EndReason  string   `json:"endReason,omitempty"`
	Browser    string   `json:"browser"`
	OS         string   `json:"os"`
	IP         string   `json:"ip"`

	below bool // in a table it stands below the page session that it came from
}

func sessionOf(s auth.Session) session {
	return session{
		ID: s.ID, UserID: s.UserID, Client: s.Client, Via: s.Via, Parent: s.Parent,
		CreatedAt: at(s.CreatedAt), LastUsedAt: at(s.LastUsedAt), ExpiresAt: at(s.ExpiresAt), EndedAt: at(s.EndedAt), EndReason: s.EndReason,
		Browser: s.Device.Browser, OS: s.Device.OS, IP: s.Device.Addr,
	}
}

// sessionsOf has apps' sessions follow the page session that they came from.
func sessionsOf(list []auth.Session) []session {
	shown := []session{}
	for _, browser := range auth.Browsers(list) {
		for i, s := range browser {
			row := sessionOf(s)
			row.below = i > 0
			shown = append(shown, row)
		}
	}
	return shown
}

const sessionHeading = "ID STATE CREATED LAST-USED EXPIRES CLIENT VIA IP DEVICE"

func (s session) columns() []string {
	id, end := s.ID, "lives"
	if s.below {
		id = "  " + id
	}
	if !s.EndedAt.IsZero() {
		end = s.EndReason
	}
	return []string{id, end, stamp(s.CreatedAt), stamp(s.LastUsedAt), stamp(s.ExpiresAt), s.Client, s.Via, s.IP, s.Browser + ", " + s.OS}
}

func (a *app) sessionList() *cobra.Command {
	cmd := leaf("list", "List an account's sessions, newest first, apps' below the page session that they came from", nil)
	email, asJSON := emailFlag(cmd), jsonFlag(cmd)
	ended := cmd.Flags().Bool("ended", false, "the ended ones of the last 30 days too")
	cmd.RunE = a.withService(wantCurrent, func(ctx context.Context, svc *auth.Service) error {
		list, err := svc.UserSessions(ctx, *email, *ended)
		if err != nil {
			return err
		}
		return listing(a, *asJSON, sessionHeading, sessionsOf(list))
	})
	return cmd
}

func idFlag(cmd *cobra.Command, what string) *string {
	id := new(string)
	required(cmd, id, "id", "the id of the "+what)
	return id
}

func (a *app) sessionEnd() *cobra.Command {
	cmd := leaf("end", "End a session, or all that --email, --client and --before select together, or --all", nil)
	cmd.Long = cmd.Short + `.

A page session takes along the sessions of apps that came from it, whichever client is theirs and whenever they were made,
also one that has run out. An app's session that ends leaves its page session, which may sign it in again.

Each account's sessions end in one transaction, with their audit events; of many accounts in several. After a failure
what has ended stays ended: say the same again, and it goes on with the rest. Who signs in meanwhile stays signed in.
Whatever may sign out more than one account is asked about first.`
	flags, yes := cmd.Flags(), yesFlag(cmd)
	id := flags.String("id", "", "the one session with this id")
	all := flags.Bool("all", false, "every session of every account")
	var selection auth.EndSelection
	flags.StringVar(&selection.Email, "email", "", "those of the account with this email address")
	flags.StringVar(&selection.Client, "client", "", "those signed in with this client alias")
	before := flags.String("before", "", "those signed in by then: a time (2026-11-23T08:00:00Z) or so long ago (36h)")
	work := a.withService(wantCurrent, func(ctx context.Context, svc *auth.Service) error {
		if *id != "" {
			if err := svc.RevokeSession(ctx, *id); err != nil {
				return err
			}
			return a.say("session %s is ended", *id)
		}
		n, err := svc.EndMany(ctx, selection)
		if err != nil && n > 0 {
			return fmt.Errorf("%d sessions are ended; say the same again to end the rest: %w", n, err)
		}
		if err != nil {
			return err
		}
		return a.say("%d sessions are ended", n)
	})
	cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
		for _, name := range []string{"id", "email", "client", "before"} {
			if f := flags.Lookup(name); f.Changed && f.Value.String() == "" {
				return usageError{fmt.Errorf("--%s is empty: name what to end", name)}
			}
		}
		selected := selection != (auth.EndSelection{}) || *before != ""
		if ways := count(*id != "", *all, selected); ways != 1 {
			return usageError{errors.New("missing selection: give --id, or --all, or any of --email, --client and --before")}
		}
		if selection.Before, err = moment("before", *before); err != nil {
			return err
		}
		if *id == "" && selection.Email == "" {
			if err := a.confirm(cmd.Context(), "Sign out "+signedOut(selection, *before)+"?", *yes); err != nil {
				return err
			}
		}
		return work(cmd, args)
	}
	return cmd
}

// signedOut says whose sessions a selection without an account ends.
func signedOut(selection auth.EndSelection, before string) string {
	affected := "everybody"
	if selection.Client != "" {
		affected += " who came through client " + selection.Client
	}
	if before != "" {
		affected += " who signed in before " + stamp(at(selection.Before))
	}
	return affected
}

// count says how many are true.
func count(conditions ...bool) (n int) {
	for _, c := range conditions {
		if c {
			n++
		}
	}
	return n
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
		}{s, found.Alive, found.Reason, explanation(found)}
		ended := ""
		if !s.EndedAt.IsZero() {
			ended = stamp(s.EndedAt)
		}
		return a.details(*asJSON, report, "session", s.ID, "user", s.UserID, "client", s.Client, "via", s.Via, "page session", s.Parent,
			"created", stamp(s.CreatedAt), "last used", stamp(s.LastUsedAt), "expires", stamp(s.ExpiresAt),
			"ended", ended, "reason", found.Reason, "explanation", explanation(found))
	})
	return cmd
}

// each turns what the rules say into what is printed.
func each[From, To any](list []From, convert func(From) To) []To {
	out := make([]To, 0, len(list))
	for _, item := range list {
		out = append(out, convert(item))
	}
	return out
}
