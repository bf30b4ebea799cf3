package auth_test

// Apps: from an authorization request to a session and its end, on both engines. What a request may say is
// internal/oidc's, and what a browser makes of it is internal/server's.

import (
	"context"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"latchkey/internal/auth"
	"latchkey/internal/authtest"
	"latchkey/internal/clients"
	"latchkey/internal/oidc"
	"latchkey/internal/peer"
)

const (
	shopURI   = "https://shop.example/callback"
	localURI  = "http://127.0.0.1/callback"
	appSecret = "a secret of at least thirty-two characters"
	verifier  = "a-verifier-of-forty-three-characters-or-more"
)

// withApps registers a first party, a native app, and a third party that people must consent to.
func withApps(o *auth.Options) {
	set, err := clients.New([]clients.Client{
		{Alias: "shop", Name: "Shop", URL: "https://shop.example", RedirectURIs: []string{shopURI}, Audiences: []string{"https://api.shop.example"}},
		{Alias: "desk", Name: "Desk", URL: "https://desk.example", RedirectURIs: []string{localURI}, Account: true, Audiences: []string{"https://api.desk.example"}},
		{Alias: "third", Name: "Third", URL: "https://third.example", RedirectURIs: []string{"https://third.example/cb"}, Secret: appSecret, Consent: true},
		{Alias: "job", Name: "Job", URL: "https://job.example", Secret: appSecret, Scopes: []string{"read", "write"}, Audiences: []string{"https://api.shop.example"}},
	})
	if err != nil {
		panic(err) // the list above is wrong
	}
	o.Clients = set
}

// asks is an authorization request of the app named; more is in pairs.
func asks(t *testing.T, r *authtest.Rig, alias string, more ...string) oidc.Request {
	t.Helper()
	uri := map[string]string{"shop": shopURI, "desk": localURI, "third": "https://third.example/cb"}[alias]
	query := url.Values{
		"response_type": {"code"}, "client_id": {alias}, "redirect_uri": {uri}, "scope": {"openid email profile"},
		"code_challenge": {oidc.ChallengeOf(verifier)}, "code_challenge_method": {"S256"}, "nonce": {"n"},
	}
	for i := 0; i < len(more); i += 2 {
		query.Set(more[i], more[i+1])
	}
	request, err := oidc.Read(query, r.Service.ClientsNow())
	if err != nil {
		t.Fatalf("read the request: %v", err)
	}
	return request
}

// authorize asks for an app with a page session that was proved for it: so no press is needed.
func authorize(t *testing.T, r *authtest.Rig, page auth.PageSession, request oidc.Request) auth.Authorized {
	t.Helper()
	flow := oidc.Flow{Query: request.Query(), At: r.Clock.Now(), Proved: page.Caller.SessionID}
	a, err := r.Service.Authorize(context.Background(), request, flow, page.Token, peer.Peer{})
	if err != nil {
		t.Fatalf("authorize: %v", err)
	}
	return a
}

func codeFor(t *testing.T, r *authtest.Rig, page auth.PageSession, alias string, more ...string) string {
	t.Helper()
	a := authorize(t, r, page, asks(t, r, alias, more...))
	if a.Code == "" {
		t.Fatalf("no code: needs %q, refused %q", a.Need, a.Refusal)
	}
	return a.Code
}

func exchangeOf(r *authtest.Rig, alias, code string) auth.CodeExchange {
	client, _ := r.Service.ClientsNow().Lookup(alias)
	uri := ""
	if len(client.RedirectURIs) > 0 {
		uri = client.RedirectURIs[0]
	}
	return auth.CodeExchange{Client: client, Code: code, RedirectURI: uri, Verifier: verifier}
}

func exchange(t *testing.T, r *authtest.Rig, alias, code string) auth.Tokens {
	t.Helper()
	tokens, err := r.Service.Exchange(context.Background(), exchangeOf(r, alias, code), peer.Peer{})
	if err != nil {
		t.Fatalf("exchange: %v", err)
	}
	return tokens
}

func refreshApp(r *authtest.Rig, alias, raw string) (auth.Tokens, error) {
	client, _ := r.Service.ClientsNow().Lookup(alias)
	return r.Service.RefreshApp(context.Background(), auth.AppRefresh{Client: client, RefreshToken: raw}, peer.Peer{})
}

// A refresh for a resource that was not granted is refused before anything rotates: however often it is tried, the
// token stays the current one. A dead session is told of as dead, whatever it is asked for.
func TestRefreshForAnotherResource(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		r := authtest.New(t, db, withApps)
		r.AddUser(t, "ada@example.com")
		tokens := exchange(t, r, "shop", codeFor(t, r, inPage(t, r, "ada@example.com"), "shop"))
		client, _ := r.Service.ClientsNow().Lookup("shop")
		wrong := auth.AppRefresh{Client: client, RefreshToken: tokens.RefreshToken, Resource: "https://other.example"}
		before := rowOf(t, r, tokens.SessionID).Generation
		for range 5 {
			_, err := r.Service.RefreshApp(context.Background(), wrong, peer.Peer{})
			agreeCode(t, "another resource", err, auth.CodeInvalidTarget)
			r.Clock.Advance(time.Hour) // far beyond what a lost answer is forgiven for
		}
		if after := rowOf(t, r, tokens.SessionID).Generation; after != before {
			t.Errorf("generation %d became %d", before, after)
		}
		if _, err := refreshApp(r, "shop", tokens.RefreshToken); err != nil {
			t.Errorf("refresh after the refusals: %v", err)
		}
		stranger := wrong
		stranger.Client, _ = r.Service.ClientsNow().Lookup("desk")
		_, err := r.Service.RefreshApp(context.Background(), stranger, peer.Peer{})
		agreeCode(t, "another client", err, auth.CodeInvalidRefreshToken)
		r.Clock.Advance(10 * 365 * 24 * time.Hour)
		_, err = r.Service.RefreshApp(context.Background(), wrong, peer.Peer{})
		agreeCode(t, "a dead session", err, auth.CodeInvalidRefreshToken)
	})
}

// Of fifty exchanges of one code at once one wins, and its session is alive and may be refreshed.
func TestFiftyExchangesOfOneCode(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		r := authtest.New(t, db, withApps)
		r.AddUser(t, "ada@example.com")
		code := codeFor(t, r, inPage(t, r, "ada@example.com"), "shop")
		var mu sync.Mutex
		var won []auth.Tokens
		var at sync.WaitGroup
		for range 50 {
			at.Go(func() {
				tokens, err := r.Service.Exchange(context.Background(), exchangeOf(r, "shop", code), peer.Peer{})
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					won = append(won, tokens)
				} else {
					agreeCode(t, "a loser", err, auth.CodeInvalidGrant)
				}
			})
		}
		at.Wait()
		if len(won) != 1 {
			t.Fatalf("%d won", len(won))
		}
		if row := rowOf(t, r, won[0].SessionID); row.EndReason != "" || row.Kind != "oauth" || row.Client != "shop" {
			t.Errorf("the session: %+v", row)
		}
		_, err := refreshApp(r, "shop", won[0].RefreshToken)
		agreeCode(t, "refresh", err, "")
	})
}

// A code that is shown again within ten seconds does nothing; later it ends the session that it made.
func TestCodeShownAgain(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		r := authtest.New(t, db, withApps)
		r.Clock.Stop()
		r.AddUser(t, "ada@example.com")
		code := codeFor(t, r, inPage(t, r, "ada@example.com"), "shop")
		tokens := exchange(t, r, "shop", code)
		for _, step := range []struct {
			after time.Duration
			by    string
			want  string
		}{
			{10 * time.Second, "shop", ""},
			{time.Second, "desk", ""}, // another client with a stolen code
			{0, "shop", "code_reused"},
		} {
			r.Clock.Advance(step.after)
			_, err := r.Service.Exchange(context.Background(), exchangeOf(r, step.by, code), peer.Peer{})
			agreeCode(t, step.by, err, auth.CodeInvalidGrant)
			if got := rowOf(t, r, tokens.SessionID).EndReason; got != step.want {
				t.Errorf("after %v by %s: the session ended for %q, want %q", step.after, step.by, got, step.want)
			}
		}
	})
}

// What a code is checked for before anything is spent, and what makes it good for nothing.
func TestExchangeRefuses(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		ctx, r := context.Background(), authtest.New(t, db, withApps)
		for name, tt := range map[string]struct {
			edit   func(in *auth.CodeExchange)
			before func(r *authtest.Rig, page auth.PageSession, email string)
			want   auth.Code
		}{
			"another client":                   {edit: func(in *auth.CodeExchange) { in.Client.Alias = "desk" }, want: auth.CodeInvalidGrant},
			"another redirect URI":             {edit: func(in *auth.CodeExchange) { in.RedirectURI += "/" }, want: auth.CodeInvalidGrant},
			"another verifier":                 {edit: func(in *auth.CodeExchange) { in.Verifier = strings.ToUpper(in.Verifier) }, want: auth.CodeInvalidGrant},
			"another resource":                 {edit: func(in *auth.CodeExchange) { in.Resource = "https://api.shop.example" }, want: auth.CodeInvalidTarget},
			"another code":                     {edit: func(in *auth.CodeExchange) { in.Code = in.Code[1:] + in.Code[:1] }, want: auth.CodeInvalidGrant},
			"run out":                          {before: func(r *authtest.Rig, _ auth.PageSession, email string) { r.Clock.Advance(time.Minute) }, want: auth.CodeInvalidGrant},
			"redirect URI taken from the file": {edit: func(in *auth.CodeExchange) { in.Client.RedirectURIs = nil }, want: auth.CodeInvalidGrant},
			"signed out": {before: func(r *authtest.Rig, page auth.PageSession, _ string) {
				_ = r.Service.SignOutPage(ctx, page.Token, peer.Peer{})
			}, want: auth.CodeInvalidGrant},
			"disabled": {before: func(r *authtest.Rig, _ auth.PageSession, email string) { _ = r.Service.DisableUser(ctx, email) }, want: auth.CodeInvalidGrant},
			"password changed on the page": {before: func(r *authtest.Rig, page auth.PageSession, email string) { // which goes on
				_, _ = r.Service.ChangePassword(ctx, &page.Caller, auth.ChangePassword{
					Email: email, OldPassword: auth.Password{Value: authtest.Password}, NewPassword: auth.Password{Value: "another fine passphrase"},
				}, peer.Peer{})
			}, want: auth.CodeInvalidGrant},
			"password changed": {before: func(r *authtest.Rig, _ auth.PageSession, email string) {
				_ = r.Service.SetPassword(ctx, email, "another fine passphrase")
			}, want: auth.CodeInvalidGrant},
		} {
			t.Run(name, func(t *testing.T) {
				email := mailboxOf(name)
				r.AddUser(t, email)
				page := inPage(t, r, email)
				code := codeFor(t, r, page, "shop")
				if tt.before != nil {
					tt.before(r, page, email)
				}
				in := exchangeOf(r, "shop", code)
				if tt.edit != nil {
					tt.edit(&in)
				}
				_, err := r.Service.Exchange(ctx, in, peer.Peer{})
				agreeCode(t, "exchange", err, tt.want)
				if tt.edit != nil { // nothing was spent
					exchange(t, r, "shop", code)
				}
			})
		}
	})
}

// Each refresh token at its own endpoint, by its own client alone: a mismatch changes nothing and is audited.
func TestRefreshAtTheWrongEndpoint(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		r := authtest.New(t, db, withApps)
		ctx := context.Background()
		r.AddUser(t, "ada@example.com")
		page := inPage(t, r, "ada@example.com")
		app, api := exchange(t, r, "shop", codeFor(t, r, page, "shop")), r.In(t, "ada@example.com")
		before := rowOf(t, r, app.SessionID)
		_, err := r.Service.Refresh(ctx, app.RefreshToken, peer.Peer{})
		agreeCode(t, "an app's at /auth", err, auth.CodeInvalidRefreshToken)
		_, err = refreshApp(r, "desk", app.RefreshToken)
		agreeCode(t, "another client's", err, auth.CodeInvalidRefreshToken)
		_, err = refreshApp(r, "shop", api.RefreshToken)
		agreeCode(t, "the API's at /oauth", err, auth.CodeInvalidRefreshToken)
		if after := rowOf(t, r, app.SessionID); after != before {
			t.Errorf("the session changed: %+v", after)
		}
		next, err := refreshApp(r, "shop", app.RefreshToken)
		agreeCode(t, "at its own", err, "")
		if next.IDToken == "" || next.RefreshToken == app.RefreshToken {
			t.Errorf("refreshed to %+v", next)
		}
	})
}

// A page session takes its apps along when its user ends it, by whatever way, and nothing else does.
func TestAppsEndWithTheirPage(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		ctx := context.Background()
		own := func(page auth.PageSession) *auth.Caller { return &page.Caller }
		for name, tt := range map[string]struct {
			end  func(r *authtest.Rig, page auth.PageSession, email string) error
			want string
		}{
			"signs out": {func(r *authtest.Rig, page auth.PageSession, email string) error {
				return r.Service.SignOutPage(ctx, page.Token, peer.Peer{})
			}, auth.ReasonSignedOutElsewhere},
			"ends it by id": {func(r *authtest.Rig, page auth.PageSession, email string) error {
				return r.Service.EndSession(ctx, inPageOf(r, email), page.Caller.SessionID, peer.Peer{})
			}, auth.ReasonSignedOutElsewhere},
			"signs out after it ran out": {func(r *authtest.Rig, page auth.PageSession, email string) error {
				r.Clock.Advance(13 * 24 * time.Hour)
				keepAlive(r)
				r.Clock.Advance(2 * 24 * time.Hour)
				return r.Service.SignOutPage(ctx, page.Token, peer.Peer{})
			}, auth.ReasonSignedOutElsewhere},
			"ends it by id after it ran out": {func(r *authtest.Rig, page auth.PageSession, email string) error {
				runOut(t, r)
				return r.Service.EndSession(ctx, inPageOf(r, email), page.Caller.SessionID, peer.Peer{})
			}, auth.ReasonSignedOutElsewhere},
			"operator, after it ran out": {func(r *authtest.Rig, page auth.PageSession, _ string) error {
				runOut(t, r)
				return r.Service.RevokeSession(ctx, page.Caller.SessionID)
			}, auth.ReasonAdmin},
			"another user signs in": {func(r *authtest.Rig, page auth.PageSession, email string) error {
				_, err := r.Service.SignInPage(ctx, auth.SignIn{Email: "bob." + email, Password: auth.Password{Value: authtest.Password}, Replaces: page.Token}, peer.Peer{})
				return err
			}, auth.ReasonSignedOutElsewhere},
			"signs in again, hears no answer, and signs out": {func(r *authtest.Rig, page auth.PageSession, email string) error {
				if _, err := r.Service.SignInPage(ctx, auth.SignIn{Email: email, Password: auth.Password{Value: authtest.Password}, Replaces: page.Token}, peer.Peer{}); err != nil {
					return err
				}
				return r.Service.SignOutPage(ctx, page.Token, peer.Peer{})
			}, auth.ReasonSignedOutElsewhere},
			"signs in again twice, and out": {func(r *authtest.Rig, page auth.PageSession, email string) error {
				var last auth.PageSession
				for range 2 {
					var err error
					if last, err = r.Service.SignInPage(ctx, auth.SignIn{Email: email, Password: auth.Password{Value: authtest.Password}, Replaces: page.Token}, peer.Peer{}); err != nil {
						return err
					}
				}
				return r.Service.SignOutPage(ctx, last.Token, peer.Peer{})
			}, auth.ReasonSignedOutElsewhere},
			"signs in again, and out": {func(r *authtest.Rig, page auth.PageSession, email string) error {
				next, err := r.Service.SignInPage(ctx, auth.SignIn{Email: email, Password: auth.Password{Value: authtest.Password}, Replaces: page.Token}, peer.Peer{})
				if err != nil {
					return err
				}
				return r.Service.SignOutPage(ctx, next.Token, peer.Peer{})
			}, auth.ReasonSignedOutElsewhere},
			"operator": {func(r *authtest.Rig, page auth.PageSession, email string) error {
				return r.Service.RevokeSession(ctx, page.Caller.SessionID)
			}, auth.ReasonAdmin},
			"disabled": {func(r *authtest.Rig, _ auth.PageSession, email string) error {
				return r.Service.DisableUser(ctx, email)
			}, auth.ReasonDisabled},
			"others, from elsewhere": {func(r *authtest.Rig, _ auth.PageSession, email string) error {
				return r.Service.SignOut(ctx, inPageOf(r, email), auth.SignOut{Others: true}, peer.Peer{})
			}, auth.ReasonRevoked},
			"others, from here": {func(r *authtest.Rig, page auth.PageSession, email string) error {
				return r.Service.SignOut(ctx, page.Caller, auth.SignOut{Others: true}, peer.Peer{})
			}, ""},
			"password changed here": {func(r *authtest.Rig, page auth.PageSession, email string) error {
				_, err := r.Service.ChangePassword(ctx, own(page), auth.ChangePassword{
					Email: email, OldPassword: auth.Password{Value: authtest.Password}, NewPassword: auth.Password{Value: "another fine passphrase"},
				}, peer.Peer{})
				return err
			}, auth.ReasonPasswordChanged},
			"runs out": {func(r *authtest.Rig, _ auth.PageSession, _ string) error {
				runOut(t, r)
				return nil
			}, ""},
			"signs in again": {func(r *authtest.Rig, page auth.PageSession, email string) error {
				_, err := r.Service.SignInPage(ctx, auth.SignIn{Email: email, Password: auth.Password{Value: authtest.Password}, Replaces: page.Token}, peer.Peer{})
				return err
			}, ""},
		} {
			t.Run(name, func(t *testing.T) {
				r, email := authtest.New(t, db, withApps), mailboxOf(name)
				r.AddUser(t, email)
				r.AddUser(t, "bob."+email)
				page := inPage(t, r, email)
				app := exchange(t, r, "shop", codeFor(t, r, page, "shop"))
				held = app
				if err := tt.end(r, page, email); err != nil {
					t.Fatal(err)
				}
				if got := rowOf(t, r, app.SessionID).EndReason; got != tt.want {
					t.Errorf("the app's session ended for %q, want %q", got, tt.want)
				}
				_, err := refreshApp(r, "shop", held.RefreshToken)
				if want := map[bool]auth.Code{true: "", false: auth.CodeInvalidRefreshToken}[tt.want == ""]; want != "" || err != nil {
					agreeCode(t, "refresh", err, want)
				}
			})
		}
	})
}

// held are the tokens that keepAlive refreshes.
var held auth.Tokens

func keepAlive(r *authtest.Rig) {
	next, err := refreshApp(r, "shop", held.RefreshToken)
	if err == nil {
		held = next
	}
}

// runOut lets the page session run out, and upkeep mark it, while the app's goes on.
func runOut(t *testing.T, r *authtest.Rig) {
	t.Helper()
	r.Clock.Advance(13 * 24 * time.Hour)
	keepAlive(r)
	r.Clock.Advance(2 * 24 * time.Hour)
	for range 2 { // first the page session is marked, and then what it leaves behind is looked at
		sweepAnew(t, r)
		r.Clock.Advance(time.Hour)
	}
}

// inPageOf signs somebody in on another page.
func inPageOf(r *authtest.Rig, email string) auth.Caller {
	s, err := r.Service.SignInPage(context.Background(), auth.SignIn{Email: email, Password: auth.Password{Value: authtest.Password}}, peer.Peer{})
	if err != nil {
		panic(err)
	}
	return s.Caller
}

// No chain of sessions lives past thirty days from the proof, whatever is refreshed and asked for in between.
func TestNoChainPassesThirtyDays(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		r := authtest.New(t, db, withApps)
		ctx := context.Background()
		r.AddUser(t, "ada@example.com")
		page := inPage(t, r, "ada@example.com")
		limit := rowOf(t, r, page.Caller.SessionID).OverallExpiresAt
		app := exchange(t, r, "shop", codeFor(t, r, page, "shop"))
		for range 29 {
			r.Clock.Advance(24 * time.Hour)
			if _, err := r.Service.PageCaller(ctx, page.Token); err != nil {
				t.Fatalf("the page session: %v", err)
			}
			next, err := refreshApp(r, "shop", app.RefreshToken)
			agreeCode(t, "refresh", err, "")
			app = next
			if got := rowOf(t, r, exchange(t, r, "shop", codeFor(t, r, page, "shop")).SessionID).OverallExpiresAt; !got.Equal(limit) {
				t.Fatalf("a session made later may live until %v, the proof until %v", got, limit)
			}
		}
		r.Clock.Advance(24 * time.Hour)
		_, err := refreshApp(r, "shop", app.RefreshToken)
		agreeCode(t, "after thirty days", err, auth.CodeInvalidRefreshToken)
	})
}

// A code of a proof that is thirty days old makes nothing any more, although a new proof has taken it over.
func TestCodeOutlivesNoProof(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		r := authtest.New(t, db, withApps)
		r.Clock.Stop()
		r.AddUser(t, "ada@example.com")
		page := inPage(t, r, "ada@example.com")
		for range 29 {
			r.Clock.Advance(24 * time.Hour)
			if _, err := r.Service.PageCaller(t.Context(), page.Token); err != nil {
				t.Fatal(err)
			}
		}
		r.Clock.Advance(24*time.Hour - 10*time.Second)
		in, late := codeFor(t, r, page, "shop"), codeFor(t, r, page, "shop")
		_, err := r.Service.SignInPage(t.Context(), auth.SignIn{Email: "ada@example.com", Password: auth.Password{Value: authtest.Password}, Replaces: page.Token}, peer.Peer{})
		agreeCode(t, "sign in again", err, "")
		exchange(t, r, "shop", in)
		r.Clock.Advance(10 * time.Second)
		_, err = r.Service.Exchange(t.Context(), exchangeOf(r, "shop", late), peer.Peer{})
		agreeCode(t, "after thirty days", err, auth.CodeInvalidGrant)
		found, err := r.Service.Violations(t.Context())
		if err != nil || len(found) > 0 {
			t.Errorf("%v, %v", found, err)
		}
	})
}

// At most ten sessions of one client from one page session, the least recently used first; a renewal every ten minutes for
// a day evicts nobody's phone.
func TestRenewalsEvictNobody(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		r := authtest.New(t, db, withApps, func(o *auth.Options) { o.SessionsPerUser = 3 })
		r.AddUser(t, "ada@example.com")
		phone := r.In(t, "ada@example.com")
		page := inPage(t, r, "ada@example.com")
		desk := exchange(t, r, "desk", codeFor(t, r, page, "desk"))
		for range 30 {
			r.Clock.Advance(10 * time.Minute)
			exchange(t, r, "shop", codeFor(t, r, page, "shop"))
		}
		for _, id := range []string{phone.SessionID, page.Caller.SessionID, desk.SessionID} {
			if got := rowOf(t, r, id).EndReason; got != "" {
				t.Errorf("a session ended for %q", got)
			}
		}
		live := 0
		sessions, err := r.Service.Sessions(context.Background(), page.Caller, page.Caller.UserID)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range sessions {
			if s.Client == "shop" {
				live++
			}
		}
		if live != 10 {
			t.Errorf("shop has %d live sessions, want 10", live)
		}
	})
}

// mailboxOf is an address for each case of a table.
func mailboxOf(name string) string {
	return strings.NewReplacer(" ", "-", ",", "").Replace(name) + "@example.com"
}
