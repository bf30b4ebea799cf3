package main

// latchkey user: accounts, for the operator.

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"latchkey/api"
	"latchkey/internal/auth"
	"latchkey/internal/throttle"
)

func (a *app) userCommands() *cobra.Command {
	return group("user", "Accounts: make, look at, change, remove",
		a.userAdd(), a.userList(), a.userShow(), a.userSetPassword(), a.userSetEmail(),
		a.userChange("disable", "Disable an account and end its sessions", "is disabled; its sessions are ended", (*auth.Service).DisableUser),
		a.userChange("enable", "Enable a disabled account", "is enabled", (*auth.Service).EnableUser),
		a.userChange("unlock", "Forget the wrong passwords counted against an account", "is unlocked", (*auth.Service).UnlockUser),
		a.userDelete())
}

// user is an account as it is printed.
type user struct {
	ID          string   `json:"id"`
	Email       string   `json:"email"`
	FirstName   string   `json:"firstName"`
	LastName    string   `json:"lastName"`
	State       string   `json:"state"`
	HasPassword bool     `json:"hasPassword"`
	CreatedAt   api.Time `json:"createdAt"`
	VerifiedAt  api.Time `json:"verifiedAt,omitzero"`
	DisabledAt  api.Time `json:"disabledAt,omitzero"`
	Language    string   `json:"language,omitempty"`
	Failures    int64    `json:"wrongPasswords,omitempty"` // these four are told by show alone
	NotBefore   api.Time `json:"waitUntil,omitzero"`
	Closed      bool     `json:"closed,omitempty"`

	Sessions []session `json:"sessions,omitzero"` // that live
}

func userOf(u auth.User) user {
	state := "active"
	switch {
	case !u.DisabledAt.IsZero():
		state = "disabled"
	case u.VerifiedAt.IsZero():
		state = "unverified"
	case !u.HasPassword:
		state = "no-password"
	}
	return user{
		ID: u.ID, Email: u.Email, FirstName: u.FirstName, LastName: u.LastName, State: state, HasPassword: u.HasPassword,
		CreatedAt: at(u.CreatedAt), VerifiedAt: at(u.VerifiedAt), DisabledAt: at(u.DisabledAt), Language: u.Language,
	}
}

func (u user) columns() []string {
	return []string{u.ID, u.Email, u.State, stamp(u.CreatedAt), u.FirstName + " " + u.LastName}
}

func (a *app) showUser(asJSON bool, u user, more ...string) error {
	return a.details(asJSON, u, append([]string{"id", u.ID, "email", u.Email, "name", u.FirstName + " " + u.LastName,
		"state", u.State, "created", stamp(u.CreatedAt), "language", u.Language}, more...)...)
}

func emailFlag(cmd *cobra.Command) *string {
	email := new(string)
	required(cmd, email, "email", "the account's email address")
	return email
}

func (a *app) userAdd() *cobra.Command {
	var in auth.NewUser
	var fromStdin bool
	cmd := leaf("add", "Make an account, verified unless said otherwise", nil)
	required(cmd, &in.Email, "email", "the account's email address")
	required(cmd, &in.FirstName, "first-name", "first name")
	required(cmd, &in.LastName, "last-name", "last name")
	cmd.Flags().BoolVar(&in.Unverified, "unverified", false, "the mailbox is not proven yet")
	passwordFlag(cmd, &fromStdin)
	asJSON := jsonFlag(cmd)
	cmd.Long = cmd.Short + ".\n\nWithout --password-stdin, and with nobody at a terminal to ask, the account has no password\n" +
		"until its owner sets one by the forgot-password mail. An empty answer does the same."
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		password, ok, err := a.readPassword(cmd.Context(), fromStdin)
		if err != nil {
			return err
		}
		if ok && (fromStdin || password != "") {
			in.Password = &password
		}
		return a.withService(mayCreate, func(ctx context.Context, svc *auth.Service) error {
			u, err := svc.AddUser(ctx, in)
			if err != nil {
				return err
			}
			return a.showUser(*asJSON, userOf(u))
		})(cmd, args)
	}
	return cmd
}

// usersPerQuery bounds one query of a listing.
const usersPerQuery = 500

func (a *app) userList() *cobra.Command {
	cmd := leaf("list", "List the accounts by email address", nil)
	asJSON := jsonFlag(cmd)
	cmd.RunE = a.withService(wantCurrent, func(ctx context.Context, svc *auth.Service) error {
		var all []user
		for after := ""; ; {
			page, err := svc.ListUsers(ctx, after, usersPerQuery)
			if err != nil {
				return err
			}
			for _, u := range page {
				all = append(all, userOf(u))
				after = u.Email
			}
			if len(page) < usersPerQuery {
				return listing(a, *asJSON, "ID EMAIL STATE CREATED NAME", all)
			}
		}
	})
	return cmd
}

func (a *app) userShow() *cobra.Command {
	cmd := leaf("show", "Show an account, and where it is signed in", nil)
	email, asJSON := emailFlag(cmd), jsonFlag(cmd)
	cmd.RunE = a.withService(wantCurrent, func(ctx context.Context, svc *auth.Service) error {
		u, err := svc.UserByEmail(ctx, *email)
		if err != nil {
			return err
		}
		standing, err := svc.Standing(ctx, *email)
		if err != nil {
			return err
		}
		sessions, err := svc.UserSessions(ctx, *email, false)
		if err != nil {
			return err
		}
		shown := userOf(u)
		shown.Sessions = sessionsOf(sessions)
		shown.Failures, shown.NotBefore, shown.Closed = standing.Failures, at(standing.NotBefore), standing.Closed
		if err := a.showUser(*asJSON, shown, "wrong passwords", standingInWords(standing)); err != nil || *asJSON || len(shown.Sessions) == 0 {
			return err
		}
		if err := a.say(""); err != nil {
			return err
		}
		return listing(a, false, sessionHeading, shown.Sessions)
	})
	return cmd
}

// standingInWords says how the throttle sees an account, and what lets its owner in.
func standingInWords(s throttle.Standing) string {
	switch {
	case s.Closed:
		return fmt.Sprintf("%d: closed to unknown devices until a reset or user unlock", s.Failures)
	case !s.NotBefore.IsZero():
		return fmt.Sprintf("%d: unknown devices wait until %s", s.Failures, stamp(at(s.NotBefore)))
	}
	return fmt.Sprint(s.Failures)
}

func (a *app) userSetPassword() *cobra.Command {
	var fromStdin bool
	cmd := leaf("set-password", "Set an account's password and end its sessions", nil)
	email := emailFlag(cmd)
	passwordFlag(cmd, &fromStdin)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		password, ok, err := a.readPassword(cmd.Context(), fromStdin)
		if err != nil {
			return err
		}
		if !ok {
			return usageError{errNoPassword}
		}
		return a.withService(wantCurrent, func(ctx context.Context, svc *auth.Service) error {
			if err := svc.SetPassword(ctx, *email, password); err != nil {
				return err
			}
			return a.say("%s has a new password; its sessions are ended", *email)
		})(cmd, args)
	}
	return cmd
}

func (a *app) userSetEmail() *cobra.Command {
	var next string
	cmd := leaf("set-email", "Give an account another email address", nil)
	email := emailFlag(cmd)
	required(cmd, &next, "new-email", "the new address")
	cmd.RunE = a.withService(wantCurrent, func(ctx context.Context, svc *auth.Service) error {
		if err := svc.SetEmail(ctx, *email, next); err != nil {
			return err
		}
		return a.say("%s is now %s", *email, next)
	})
	return cmd
}

// userChange is a command that does one thing to one account.
func (a *app) userChange(use, short, done string, change func(*auth.Service, context.Context, string) error) *cobra.Command {
	cmd := leaf(use, short, nil)
	email := emailFlag(cmd)
	cmd.RunE = a.withService(wantCurrent, func(ctx context.Context, svc *auth.Service) error {
		if err := change(svc, ctx, *email); err != nil {
			return err
		}
		return a.say("%s %s", *email, done)
	})
	return cmd
}

func (a *app) userDelete() *cobra.Command {
	cmd := a.userChange("delete", "Delete an account with its sessions", "is deleted", (*auth.Service).DeleteUser)
	yes := yesFlag(cmd)
	change := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		email := cmd.Flag("email").Value.String()
		if err := a.confirm(cmd.Context(), "Delete "+email+" for good?", *yes); err != nil {
			return err
		}
		return change(cmd, args)
	}
	return cmd
}
