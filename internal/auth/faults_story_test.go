package auth_test

// The stories that TestEveryMomentOfTheDatabase tells: everything an account lives through, and what
// keeps the house.

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"latchkey/api"
	"latchkey/internal/auth"
	"latchkey/internal/authtest"
	"latchkey/internal/peer"
)

const (
	shopSecret = "a secret of the shop's that nobody guesses"
	leaseOver  = 3 * time.Minute
)

// life is one person's story, and what its steps keep for those after them.
type life struct {
	*faultRig
	email, bob, moved    string
	pw                   []string // as they are changed
	laptop, phone, bobs  api.Tokens
	first, second, third string // refresh tokens
	page                 auth.PageSession
	code                 string
	app                  auth.Tokens
}

// lifeOfAnAccount is a story of everything an account lives through.
func (f *faultRig) lifeOfAnAccount() []storyStep {
	f.stories++
	email := fmt.Sprintf("ada%d@example.com", f.stories)
	l := &life{
		faultRig: f, email: email, bob: "bob." + email, moved: "moved." + email,
		pw: []string{authtest.Password, "another fine passphrase", "a third, finer passphrase", "the fourth passphrase"},
	}
	return slices.Concat(l.registers(), l.refreshes(), l.changesPasswords(), l.endsSessions(), l.usesApps(), l.isLookedAfter())
}

func (l *life) signIn(name, email, pw string, into *api.Tokens) storyStep {
	return storyStep{name: name, do: func(ctx context.Context) (err error) {
		*into, err = l.api.SignIn(ctx, api.SignInRequest{Email: email, Password: pw})
		return err
	}}
}

func (l *life) signInAgain(name, email, pw string, into *api.Tokens) storyStep {
	s := l.signIn(name, email, pw, into)
	s.calm = true
	return s
}

func (l *life) refused(name, email, pw string) storyStep {
	s := l.signIn(name, email, pw, new(api.Tokens))
	s.want = "invalid_credentials"
	return s
}

func (l *life) refresh(name string, from *string, into *api.Tokens, same bool) storyStep {
	return storyStep{name: name, do: func(ctx context.Context) error {
		got, err := l.api.Refresh(ctx, *from)
		if err == nil && same && got.RefreshToken != into.RefreshToken {
			return errors.New("another successor")
		}
		if err == nil {
			*into = got
		}
		return err
	}}
}

func (l *life) keep(into *string, from *api.Tokens) storyStep {
	return storyStep{name: "keep a token", calm: true, do: func(context.Context) error { *into = from.RefreshToken; return nil }}
}

func (l *life) bearer(name, want string, tokens *api.Tokens) storyStep {
	return storyStep{name: name, want: want, calm: true, do: func(ctx context.Context) error {
		_, err := l.api.UserInfo(ctx, tokens.AccessToken)
		return err
	}}
}

func (l *life) change(name, old, want, again string) storyStep {
	return storyStep{name: name, want: want, again: again, do: func(ctx context.Context) error {
		return l.api.ChangePassword(ctx, l.laptop.AccessToken, api.ChangePasswordRequest{Email: l.email, OldPassword: old, NewPassword: l.pw[1]})
	}}
}

func (l *life) signOut(name, want, again string, in func() api.SignOutRequest) storyStep {
	return storyStep{name: name, want: want, again: again, do: func(ctx context.Context) error {
		return l.api.SignOut(ctx, l.laptop.AccessToken, in())
	}}
}

func (l *life) reset(name, want, again string, code func() (string, error)) storyStep {
	return storyStep{name: name, want: want, again: again, do: func(ctx context.Context) error {
		token, err := code()
		if err != nil {
			return err
		}
		return l.api.ResetPassword(ctx, l.email, api.PasswordResetRequest{Password: l.pw[2], Token: token})
	}}
}

func (l *life) signUp(name, want, again string) storyStep {
	return storyStep{name: name, want: want, again: again, do: func(ctx context.Context) error {
		code, err := l.mailed(l.email, "/verify-email-success?verificationCode=")
		if err != nil {
			return err
		}
		_, err = l.api.SignUp(ctx, api.SignUpRequest{Email: l.email, Password: l.pw[0], FirstName: "Ada", LastName: "Lovelace", VerificationCode: code})
		return err
	}}
}

// registers: proves a mailbox and signs up.
func (l *life) registers() []storyStep {
	return []storyStep{
		{name: "ask to verify", do: func(ctx context.Context) error {
			return l.api.RequestVerification(ctx, api.VerificationMailRequest{Email: l.email})
		}},
		l.deliverMail("deliver the code"),
		{name: "verify", do: func(ctx context.Context) error {
			code, err := l.mailed(l.email, "/verify-email-success?verificationCode=")
			if err != nil {
				return err
			}
			return l.api.VerifyEmail(ctx, l.email, code)
		}},
		{name: "verify with a wrong code", want: "invalid_verification_code", do: func(ctx context.Context) error {
			return l.api.VerifyEmail(ctx, l.email, strings.Repeat("A", 43))
		}},
		l.signUp("sign up", "", "already_registered"),
		l.signUp("sign up once more", "already_registered", ""),
	}
}

// refreshes: signs in, refreshes, and is robbed.
func (l *life) refreshes() []storyStep {
	return []storyStep{
		l.refused("sign in with a wrong password", l.email, l.pw[1]),
		l.signIn("sign in", l.email, l.pw[0], &l.laptop),
		l.signIn("sign in on the phone", l.email, l.pw[0], &l.phone),
		l.keep(&l.first, &l.laptop),
		l.refresh("refresh", &l.first, &l.laptop, false),
		l.refresh("refresh again with the same", &l.first, &l.laptop, true),
		l.wait(2 * time.Minute),
		l.refresh("refresh late", &l.first, &l.laptop, true),
		{name: "user info", do: func(ctx context.Context) error {
			_, err := l.api.UserInfo(ctx, l.laptop.AccessToken)
			return err
		}},
		{name: "introspect", do: func(ctx context.Context) error {
			in, err := l.api.Introspect(ctx, "shop", shopSecret, l.laptop.RefreshToken)
			if err == nil && !in.Active {
				return errors.New("not active")
			}
			return err
		}},
		{name: "list", do: func(ctx context.Context) error {
			me, err := l.api.UserInfo(ctx, l.laptop.AccessToken)
			if err != nil {
				return err
			}
			list, err := l.api.Sessions(ctx, l.laptop.AccessToken, me.Subject)
			if err == nil && len(list) < 2 {
				return fmt.Errorf("%d sessions", len(list))
			}
			return err
		}},
		l.keep(&l.second, &l.phone),
		l.refresh("the phone refreshes", &l.second, &l.phone, false),
		l.wait(2 * time.Minute),
		l.keep(&l.third, &l.phone),
		l.refresh("the phone refreshes again", &l.third, &l.phone, false),
		l.wait(2 * time.Minute),
		{name: "refresh with a stolen token", want: "invalid_refresh_token", do: func(ctx context.Context) error {
			_, err := l.api.Refresh(ctx, l.second)
			return err
		}},
		{name: "user info of a dead session", want: "invalid_token", do: func(ctx context.Context) error {
			_, err := l.api.UserInfo(ctx, l.phone.AccessToken)
			return err
		}},
	}
}

// changesPasswords: changes the password, and forgets it.
func (l *life) changesPasswords() []storyStep {
	return []storyStep{
		l.signInAgain("sign in on the phone again", l.email, l.pw[0], &l.phone),
		l.change("change with a wrong password", l.pw[2], "invalid_credentials", ""),
		l.change("change", l.pw[0], "", "invalid_credentials"),
		l.bearer("the laptop lives on", "", &l.laptop),
		l.bearer("the phone is signed out by the change", "invalid_token", &l.phone),
		l.refused("sign in with the old password", l.email, l.pw[0]),
		l.signIn("sign in with the new password", l.email, l.pw[1], &l.phone),
		{name: "forgot", do: func(ctx context.Context) error {
			_, err := l.api.ForgotPassword(ctx, api.ForgotPasswordRequest{Email: l.email})
			return err
		}},
		l.deliverMail("deliver the link"),
		l.reset("reset with a wrong token", "invalid_reset_token", "", func() (string, error) { return strings.Repeat("A", 43), nil }),
		l.reset("reset", "", "invalid_reset_token", func() (string, error) { return l.mailed(l.email, "/reset-password?verificationCode=") }),
		l.bearer("the laptop is signed out by the reset", "invalid_token", &l.laptop),
		l.deliverMail("deliver the notices"),
		l.wait(time.Hour), // so that each sign-in may make its device known
		l.signInAgain("sign in after the reset", l.email, l.pw[2], &l.laptop),
		l.signInAgain("sign in on the phone after the reset", l.email, l.pw[2], &l.phone),
	}
}

// endsSessions: ends sessions, one's own and never another's.
func (l *life) endsSessions() []storyStep {
	return []storyStep{
		{name: "the operator adds a user", again: "taken", do: func(ctx context.Context) error {
			_, err := l.Service.AddUser(ctx, auth.NewUser{Email: l.bob, FirstName: "Bob", LastName: "Babbage", Password: &l.pw[0]})
			return err
		}},
		l.signInAgain("another user signs in", l.bob, l.pw[0], &l.bobs),
		l.signOut("sign a stranger out", "forbidden", "", func() api.SignOutRequest {
			return api.SignOutRequest{Sessions: &[]string{l.phone.SessionID, l.bobs.SessionID}}
		}),
		l.bearer("nothing ended", "", &l.phone),
		{name: "end the phone's session", do: func(ctx context.Context) error {
			return l.api.EndSession(ctx, l.laptop.AccessToken, l.phone.SessionID)
		}},
		l.signInAgain("sign in on the phone once more", l.email, l.pw[2], &l.phone),
		l.signOut("sign the phone out", "", "", func() api.SignOutRequest { return api.SignOutRequest{Sessions: &[]string{l.phone.SessionID}} }),
		l.signInAgain("sign in on the phone yet again", l.email, l.pw[2], &l.phone),
		l.signOut("sign the others out", "", "", func() api.SignOutRequest { return api.SignOutRequest{Others: true} }),
		l.bearer("the phone is signed out by the laptop", "invalid_token", &l.phone),
		l.signOut("sign out", "", "invalid_token", func() api.SignOutRequest { return api.SignOutRequest{} }),
		l.bearer("the laptop is signed out", "invalid_token", &l.laptop),
		{name: "revoke", do: func(ctx context.Context) error { return l.api.Revoke(ctx, l.bobs.RefreshToken) }},
		l.bearer("a revoked session", "invalid_token", &l.bobs),
	}
}

// isLookedAfter: is what notices and operators do.
func (l *life) isLookedAfter() []storyStep {
	return []storyStep{
		l.signInAgain("sign in before the notice's link", l.email, l.pw[2], &l.phone),
		{name: "use the notice's link", do: func(ctx context.Context) error {
			token, err := l.mailed(l.email, "/end-session?token=")
			if err != nil {
				return err
			}
			_, err = l.Service.EndByLink(ctx, token, peer.Peer{})
			return err
		}},
		l.wait(time.Hour),
		{name: "the operator sets a password", do: func(ctx context.Context) error { return l.Service.SetPassword(ctx, l.email, l.pw[3]) }},
		l.signInAgain("sign in with what the operator set", l.email, l.pw[3], &l.phone),
		{name: "the operator ends a session", do: func(ctx context.Context) error { return l.Service.RevokeSession(ctx, l.phone.SessionID) }},
		{name: "the operator asks why", do: func(ctx context.Context) error {
			why, err := l.Service.ExplainSession(ctx, l.phone.SessionID)
			if err == nil && why.Alive {
				return errors.New("it is alive")
			}
			return err
		}},
		l.signInAgain("sign in before the move", l.email, l.pw[3], &l.phone),
		{name: "the operator sets an email", again: "no user", do: func(ctx context.Context) error { return l.Service.SetEmail(ctx, l.email, l.moved) }},
		l.signInAgain("sign in after the move", l.moved, l.pw[3], &l.phone),
		{name: "the operator disables", do: func(ctx context.Context) error { return l.Service.DisableUser(ctx, l.moved) }},
		l.bearer("a disabled user's session", "invalid_token", &l.phone),
		l.refused("a disabled user signs in", l.moved, l.pw[3]),
		{name: "the operator enables", do: func(ctx context.Context) error { return l.Service.EnableUser(ctx, l.moved) }},
		l.signInAgain("an enabled user signs in", l.moved, l.pw[3], &l.phone),
		{name: "the operator lists", do: func(ctx context.Context) error {
			list, err := l.Service.UserSessions(ctx, l.moved, false)
			if err == nil && len(list) == 0 {
				return errors.New("no session")
			}
			return err
		}},
		{name: "the operator deletes", again: "no user", do: func(ctx context.Context) error { return l.Service.DeleteUser(ctx, l.moved) }},
		l.bearer("a deleted user's session", "invalid_token", &l.phone),
		l.deliverMail("deliver the last notices"),
	}
}

// houseKeeping is what a server does for itself.
func (f *faultRig) houseKeeping() []storyStep {
	var next *auth.Service
	return []storyStep{
		{name: "rotate keys", do: func(ctx context.Context) error {
			_, err := f.Service.Keys().Rotate(ctx)
			return err
		}},
		{name: "ready", do: f.Service.Ready},
		{name: "count", do: func(ctx context.Context) error {
			_, _, err := f.Service.Outbox().Waiting(ctx)
			return err
		}},
		f.wait(31 * 24 * time.Hour),
		{name: "restart", do: func(ctx context.Context) (err error) {
			s, err := auth.New(ctx, f.Options)
			if err == nil {
				next = s
			}
			return err
		}},
		{name: "sweep", pieces: true, do: func(ctx context.Context) error {
			for {
				if more, err := next.Upkeep().Sweep(ctx); err != nil || !more {
					return err
				}
			}
		}},
	}
}

// deliverMail is a worker: a row whose delivery met trouble is due again later.
func (f *faultRig) deliverMail(name string) storyStep {
	return storyStep{name: name, pieces: true, pause: leaseOver, do: func(ctx context.Context) error {
		for {
			if more, err := f.Service.Outbox().DeliverNext(ctx); err != nil || !more || ctx.Err() != nil {
				return err
			}
		}
	}}
}

func (f *faultRig) wait(d time.Duration) storyStep {
	return storyStep{name: "wait", calm: true, do: func(context.Context) error { f.Clock.Advance(d); return nil }}
}

// mailed finds what follows a link's beginning in the newest mail to an address. However often a link was
// sent, it is one mail: its Message-ID stays.
func (f *faultRig) mailed(to, link string) (token string, err error) {
	id := ""
	for _, m := range f.Mailbox.Messages() {
		_, rest, ok := strings.Cut(m.Text, link)
		if !ok || m.To != to {
			continue
		}
		found, _, _ := strings.Cut(strings.Fields(rest)[0], "&")
		switch {
		case token == "":
			token, id = found, m.ID
		case token == found && id != m.ID:
			return "", fmt.Errorf("the mails %s and %s carry one link", id, m.ID)
		}
	}
	if token == "" {
		return "", fmt.Errorf("no mail to %s with %s", to, link)
	}
	return url.QueryUnescape(token)
}
