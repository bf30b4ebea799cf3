package auth_test

// What TestEveryMomentOfTheDatabase tells of apps: a sign-in on a page, codes, tokens at the token endpoint, and what a page
// session takes along.

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"latchkey/internal/auth"
	"latchkey/internal/clients"
	"latchkey/internal/oidc"
	"latchkey/internal/peer"
)

// usesApps: signs in to apps from a page, and signs out of it.
func (l *life) usesApps() []storyStep {
	appIs := func(name, want string) storyStep {
		return storyStep{name: name, want: want, calm: true, do: func(ctx context.Context) error {
			_, err := l.Service.AuthenticateForClaims(ctx, l.app.AccessToken)
			return err
		}}
	}
	return []storyStep{
		{name: "sign in on a page", do: func(ctx context.Context) error { return l.signInPage(ctx, "") }},
		l.wait(6 * time.Minute),
		{name: "visit a page", do: func(ctx context.Context) error {
			_, err := l.Service.PageCaller(ctx, l.page.Token)
			return err
		}},
		{name: "authorize an app", do: func(ctx context.Context) error { return l.authorize(ctx, "shop", auth.NeedNothing) }},
		{name: "exchange its code", again: "invalid_grant", do: func(ctx context.Context) error { return l.exchange(ctx, "shop") }},
		l.inApp("sign in to the app", "shop"),
		{name: "refresh the app's session", do: func(ctx context.Context) error { return l.refreshApp(ctx, l.app.RefreshToken) }},
		{name: "refresh it elsewhere", want: "invalid_refresh_token", do: func(ctx context.Context) error {
			_, err := l.Service.Refresh(ctx, l.app.RefreshToken, peer.Peer{})
			return err
		}},
		{name: "introspect the app's token", do: func(ctx context.Context) error {
			got, err := l.Service.Introspect(ctx, l.client("shop"), l.app.AccessToken, peer.Peer{})
			if err == nil && !got.Active {
				return fmt.Errorf("not active: %+v", got)
			}
			return err
		}},
		l.wait(11 * time.Second),
		{name: "show a code again", want: "invalid_grant", do: func(ctx context.Context) error { return l.exchange(ctx, "shop") }},
		appIs("the session of a code that was shown again", "invalid_token"),
		l.inApp("sign in to the app once more", "shop"),
		{name: "sign in again in the browser", do: func(ctx context.Context) error { return l.signInPage(ctx, l.page.Token) }},
		appIs("the app's session after a new proof", ""),
		{name: "end the app's session", do: func(ctx context.Context) error {
			return l.Service.EndSession(ctx, l.page.Caller, l.app.SessionID, peer.Peer{})
		}},
		{name: "authorize the app that was ended", do: func(ctx context.Context) error { return l.authorize(ctx, "shop", auth.NeedContinue) }},
		{name: "press", do: func(ctx context.Context) error { return l.Service.Press(ctx, l.page.Caller, l.client("shop")) }},
		{name: "authorize a third party", do: func(ctx context.Context) error { return l.authorize(ctx, "third", auth.NeedConsent) }},
		{name: "consent", do: func(ctx context.Context) error {
			request, err := l.request("third")
			if err != nil {
				return err
			}
			return l.Service.Consent(ctx, l.page.Caller, request, peer.Peer{})
		}},
		l.inApp("sign in to the third party", "third"),
		{name: "revoke the consent", do: func(ctx context.Context) error {
			return l.Service.RevokeConsent(ctx, l.page.Caller, "third", peer.Peer{})
		}},
		appIs("a third party's session after that", "invalid_token"),
		l.inApp("sign in to the app for the last time", "shop"),
		{name: "sign out of the page", do: func(ctx context.Context) error {
			return l.Service.SignOutPage(ctx, l.page.Token, peer.Peer{})
		}},
		appIs("the app's session after the sign-out", "invalid_token"),
	}
}

func (l *life) signInPage(ctx context.Context, replaces string) error {
	in := auth.SignIn{Email: l.email, Password: auth.Password{Value: l.pw[2]}, Replaces: replaces}
	got, err := l.Service.SignInPage(ctx, in, peer.Peer{})
	if err == nil {
		l.page = got
	}
	return err
}

// inApp is a whole sign-in to an app, and meets no trouble.
func (l *life) inApp(name, alias string) storyStep {
	return storyStep{name: name, calm: true, do: func(ctx context.Context) error {
		if err := l.authorize(ctx, alias, auth.NeedNothing); err != nil {
			return err
		}
		return l.exchange(ctx, alias)
	}}
}

func (l *life) client(alias string) clients.Client {
	c, _ := l.Service.ClientsNow().Lookup(alias)
	return c
}

func (l *life) request(alias string) (oidc.Request, error) {
	return oidc.Read(url.Values{
		"response_type": {"code"}, "client_id": {alias}, "redirect_uri": {shopURI}, "scope": {"openid email profile offline_access"},
		"code_challenge": {oidc.ChallengeOf(verifier)}, "code_challenge_method": {"S256"},
	}, l.Service.ClientsNow())
}

func (l *life) authorize(ctx context.Context, alias string, want auth.Need) error {
	request, err := l.request(alias)
	if err != nil {
		return err
	}
	a, err := l.Service.Authorize(ctx, request, oidc.Flow{Query: request.Query(), At: l.Clock.Now()}, l.page.Token, peer.Peer{})
	switch {
	case err != nil:
		return err
	case a.Need != want:
		return fmt.Errorf("it needs %q, not %q", a.Need, want)
	}
	l.code = a.Code
	return nil
}

func (l *life) exchange(ctx context.Context, alias string) error {
	got, err := l.Service.Exchange(ctx, exchangeOf(l.Rig, alias, l.code), peer.Peer{})
	if err == nil {
		l.app = got
	}
	return err
}

func (l *life) refreshApp(ctx context.Context, raw string) error {
	got, err := l.Service.RefreshApp(ctx, auth.AppRefresh{Client: l.client("shop"), RefreshToken: raw}, peer.Peer{})
	if err == nil {
		l.app = got
	}
	return err
}
