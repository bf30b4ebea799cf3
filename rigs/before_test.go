package rigs

// A node of the release before beside one of this release, on one database, as while nodes are upgraded one by one. What the
// old node does not know it refuses and leaves alone; what both know holds on both.

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"latchkey/api"
	"latchkey/client"
	"latchkey/rigs/stage"
)

// upgrade is a database that the old release made and this one has migrated, with a node of each.
type upgrade struct {
	old, now  *stage.Node
	operator  *stage.Node // whose commands work on the schema
	post      *stage.Post
	shop      *shop
	userID    string
	since     api.Tokens   // of a session from before the migration
	page      string       // likewise the cookie of a page session
	links     []mailedLink // likewise, not spent
	mailboxes int
}

// mailedLink is the token of a link, and whom it was sent to.
type mailedLink struct{ page, email, code string }

const (
	upgradeUser     = "ada@example.com"
	upgradePassword = "correct horse battery staple"
)

func TestBesideTheReleaseBefore(t *testing.T) {
	t.Parallel()
	u := newUpgrade(t)
	for _, part := range []struct {
		name string
		test func(*testing.T)
	}{
		{"sessions", u.testSessions},
		{"an app's tokens", u.testAppTokens},
		{"links", u.testLinks},
		{"dropped links", u.testDroppedLinks},
		{"apps after an end at the old node", u.testEndsThere},
		{"a restart", u.testRestart},
	} {
		if !t.Run(part.name, part.test) {
			return
		}
	}
	if found, said, code := u.now.Command("", "audit", "database"); code != 0 {
		t.Errorf("the auditor: %s%s", said, found)
	}
}

// newUpgrade lets the old node work on a database of its own, migrates it under that node, and starts the new one. The
// nodes' mails differ by their sender.
func newUpgrade(t *testing.T) *upgrade {
	u := &upgrade{post: stage.NewPost(t), shop: newShop(t)}
	settings := stage.Settings{"DATABASE_URL": postgres(t), "SMTP_URL": u.post.URL(), "PUBLIC_URL": "http://localhost:8080", "SESSIONS_PER_USER": "10000"}
	settings["MAIL_FROM"] = "old@latchkey.example"
	u.old = stage.NewNode(t, settings)
	u.old.Binary = stage.ReleaseBefore(t)
	u.old.Start()
	u.operator = u.old
	settings["MAIL_FROM"], settings["CLIENTS_FILE"] = "now@latchkey.example", u.shop.clientsFile(t)
	u.now = stage.NewNode(t, settings)

	u.userID = member(t, u.old.Client(), u.post, upgradeUser, upgradePassword)
	u.since = signIn(t, u.old.Client(), upgradeUser, upgradePassword)
	u.page = inPages(t, u.old, upgradeUser, upgradePassword)
	for range 2 {
		for _, page := range []string{verifyPage, resetPage} {
			u.links = append(u.links, u.mailed(t, u.old, page))
		}
	}
	u.now.Must("", "migrate")
	u.operator = u.now
	u.since = refresh(t, u.old.Client(), u.since.RefreshToken)
	u.now.Start()
	return u
}

func (u *upgrade) both() [2]*client.Client { return [2]*client.Client{u.old.Client(), u.now.Client()} }

// Sessions that both know end, and are refreshed, as on two nodes of one release; those from before go on.
func (u *upgrade) testSessions(t *testing.T) {
	for _, n := range []*stage.Node{u.now, u.old} {
		if res := onPage(t, n, "/account", u.page, nil); res.StatusCode != http.StatusOK {
			t.Errorf("a page session from before the migration: %s", res.Status)
		}
	}
	refreshOnEither(t, u.both(), u.since, 10)
	const email = "grace@example.com"
	endOnEither(t, u.both(), u.addUser(t, email), email, upgradePassword, 2)
}

func (u *upgrade) addUser(t *testing.T, email string) (id string) {
	t.Helper()
	var user struct{ ID string }
	said := u.operator.Must(upgradePassword+"\n", "user", "add", "--email", email, "--first-name", "Ada", "--last-name", "Lovelace", "--password-stdin", "--json")
	if err := json.Unmarshal([]byte(said), &user); err != nil {
		t.Fatal(err)
	}
	return user.ID
}

// browser is a page session of the new node with the session of an app.
type browser struct {
	cookie string
	app    api.AppTokens
}

func (u *upgrade) newBrowser(t *testing.T) browser {
	t.Helper()
	b := browser{cookie: inPages(t, u.now, upgradeUser, upgradePassword)}
	var err error
	if b.app, err = u.exchange(u.authorize(t, b.cookie)); err != nil {
		t.Fatalf("exchange: %v", err)
	}
	return b
}

func (u *upgrade) web() website { return website{u.now.URL, u.now.HTTP.Transport} }

func (u *upgrade) authorize(t *testing.T, cookie string) string {
	t.Helper()
	code, err := u.web().authorize(context.Background(), cookie)
	if err != nil {
		t.Fatal(err)
	}
	return code
}

func (u *upgrade) exchange(code string) (api.AppTokens, error) {
	return u.now.Client().ExchangeCode(context.Background(), api.CodeTokenRequest{ClientID: appAlias, Code: code, RedirectURI: appURI, CodeVerifier: appVerifier})
}

func (u *upgrade) refreshApp(app api.AppTokens) (api.AppTokens, error) {
	return u.now.Client().RefreshApp(context.Background(), api.RefreshTokenRequest{ClientID: appAlias, RefreshToken: app.RefreshToken})
}

func (u *upgrade) explain(t *testing.T, session string) string {
	t.Helper()
	return u.now.Must("", "session", "explain", "--id", session, "--json")
}

// I7: whatever an app holds opens nothing at the old node and changes nothing there, however old it is.
func (u *upgrade) testAppTokens(t *testing.T) {
	ctx, there := context.Background(), u.old.Client()
	app := u.newBrowser(t).app
	id := sessionOf(app.AccessToken)
	seen := []string{app.RefreshToken}
	for range 3 {
		next, err := u.refreshApp(app)
		if err != nil {
			t.Fatalf("refresh where it belongs: %v", err)
		}
		if was, is := generationOf(app.RefreshToken), generationOf(next.RefreshToken); is != was+1 {
			t.Fatalf("the refresh of generation %d gave %d", was, is)
		}
		app = next
		before := u.explain(t, id)
		for _, raw := range append(seen, app.RefreshToken) { // the first of them would be reuse
			_, err := there.Refresh(ctx, raw)
			refused(t, err, "invalid_refresh_token")
		}
		seen = append(seen, app.RefreshToken)
		for _, raw := range []string{app.RefreshToken, app.AccessToken} {
			if err := there.Revoke(ctx, raw); err != nil { // what is no token of ours is a success (RFC 7009 §2.2)
				t.Errorf("revoke: %v", err)
			}
		}
		for name, use := range map[string]func(*client.Client, string) error{
			"userinfo": func(cl *client.Client, bearer string) error { _, err := cl.UserInfo(ctx, bearer); return err },
			"list":     func(cl *client.Client, bearer string) error { _, err := cl.Sessions(ctx, bearer, u.userID); return err },
			"end":      func(cl *client.Client, bearer string) error { return cl.EndSession(ctx, bearer, id) },
			"sign out": func(cl *client.Client, bearer string) error { return cl.SignOut(ctx, bearer, api.SignOutRequest{}) },
		} {
			if err := use(there, app.AccessToken); client.CodeOf(err) != "invalid_token" {
				t.Errorf("%s: %v", name, err)
			}
		}
		if after := u.explain(t, id); after != before {
			t.Errorf("the session was\n%s\nand is\n%s", before, after)
		}
		if _, err := u.now.Client().AppUserInfo(ctx, app.AccessToken); err != nil {
			t.Errorf("the access token where it belongs: %v", err)
		}
	}
}

// mailed asks at a node for a link to an address of its own, until that node has mailed it, too: each takes what it finds
// in the outbox that they share.
func (u *upgrade) mailed(t *testing.T, by *stage.Node, page string) mailedLink {
	t.Helper()
	ctx := context.Background()
	for range 50 {
		u.mailboxes++
		l := mailedLink{page: page, email: fmt.Sprintf("reader%d@example.com", u.mailboxes)}
		var err error
		if page == resetPage {
			u.addUser(t, l.email)
			_, err = by.Client().ForgotPassword(ctx, api.ForgotPasswordRequest{Email: l.email})
		} else {
			err = by.Client().RequestVerification(ctx, api.VerificationMailRequest{Email: l.email})
		}
		if err != nil {
			t.Fatalf("ask for a link: %v", err)
		}
		if l.code = u.post.AwaitCode(l.email, page, "", 20*time.Second); l.code == "" {
			t.Fatalf("no mail to %s", l.email)
		}
		from := func(m stage.Mail) bool {
			return m.Code(page) != "" && strings.Contains(m.Raw, by.Settings["MAIL_FROM"])
		}
		if slices.ContainsFunc(u.post.To(l.email), from) {
			return l
		}
	}
	t.Fatalf("%s mailed nothing that was asked for there", by.Settings["MAIL_FROM"])
	return mailedLink{}
}

func (l mailedLink) spend(at *stage.Node) error {
	ctx := context.Background()
	if l.page == resetPage {
		return at.Client().ResetPassword(ctx, l.email, api.PasswordResetRequest{Token: l.code, Password: "another " + upgradePassword})
	}
	_, err := at.Client().SignUp(ctx, api.SignUpRequest{Email: l.email, Password: upgradePassword, FirstName: "Ada", LastName: "Lovelace", VerificationCode: l.code})
	return err
}

// I4: a link is good once, wherever it was mailed and is opened: at both nodes at once, or at one after the other.
func (u *upgrade) testLinks(t *testing.T) {
	spend := func(name string, l mailedLink, first, second *stage.Node) {
		t.Helper()
		if err := l.spend(first); err != nil {
			t.Errorf("%s, %s: %v", name, l.page, err)
		}
		for _, n := range []*stage.Node{second, first} {
			if err := l.spend(n); client.CodeOf(err) != l.dead() {
				t.Errorf("%s, %s, again: %v", name, l.page, err)
			}
		}
	}
	for i, l := range u.links {
		nodes := [2]*stage.Node{u.old, u.now}
		spend(fmt.Sprintf("mailed before the migration, to %d", i/2), l, nodes[i/2], nodes[1-i/2])
	}
	for _, page := range []string{verifyPage, resetPage} {
		spend("mailed there, spent here", u.mailed(t, u.old, page), u.now, u.old)
		spend("mailed here, spent there", u.mailed(t, u.now, page), u.old, u.now)
		for _, by := range []*stage.Node{u.old, u.now} {
			l, won := u.mailed(t, by, page), make(chan error, 2)
			for _, n := range []*stage.Node{u.old, u.now} {
				go func() { won <- l.spend(n) }()
			}
			if one, other := <-won, <-won; (one == nil) == (other == nil) {
				t.Errorf("spent at both at once, %s: %v, and %v", page, one, other)
			}
		}
	}
}

// dead is what the link says once it is spent.
func (l mailedLink) dead() string {
	if l.page == resetPage {
		return "invalid_reset_token"
	}
	return "already_registered"
}

// I4: when the account that a link has made is gone, the link does not come back to life.
func (u *upgrade) testDroppedLinks(t *testing.T) {
	for _, by := range []*stage.Node{u.old, u.now} {
		for _, at := range []*stage.Node{u.old, u.now} {
			l := u.mailed(t, by, verifyPage)
			if err := l.spend(at); err != nil {
				t.Fatal(err)
			}
			u.operator.Must("", "user", "delete", "--email", l.email, "--yes")
			for _, n := range []*stage.Node{u.old, u.now} {
				if err := l.spend(n); client.CodeOf(err) != "email_not_verified" {
					t.Errorf("mailed by %s, spent at %s: %v", by.Settings["MAIL_FROM"], at.Settings["MAIL_FROM"], err)
				}
			}
		}
	}
}

// A sign-out at the old node ends the page session at once, and its apps' when upkeep of this release next walks the
// sessions, as it does when a node starts. Apps are told of that, and of what the old node ends itself.
func (u *upgrade) testEndsThere(t *testing.T) {
	ctx, left, named := context.Background(), u.newBrowser(t), u.newBrowser(t)
	code := u.authorize(t, left.cookie)
	bearer := signIn(t, u.old.Client(), upgradeUser, upgradePassword).AccessToken
	if err := u.old.Client().EndSession(ctx, bearer, sessionOf(named.app.AccessToken)); err != nil {
		t.Fatalf("end an app's session by its id: %v", err)
	}
	if res := onPage(t, u.old, "/signout", left.cookie, url.Values{}); res.StatusCode != http.StatusSeeOther {
		t.Fatalf("sign out: %s", res.Status)
	}

	if res := onPage(t, u.now, "/account", left.cookie, nil); res.StatusCode != http.StatusSeeOther {
		t.Errorf("the page session that was signed out of: %s", res.Status)
	}
	if got, err := u.web().authorize(ctx, left.cookie); err == nil {
		t.Errorf("it gives an app the code %s", got)
	}
	_, err := u.exchange(code)
	refused(t, err, "invalid_grant")
	_, err = u.refreshApp(named.app)
	refused(t, err, "invalid_grant")
	if left.app, err = u.refreshApp(left.app); err != nil {
		t.Errorf("the app's session is ended before the walk: %v", err)
	}

	if code := u.now.Stop(); code != 0 {
		t.Errorf("the new node ended with %d", code)
	}
	u.now.Start()
	for _, b := range []struct {
		browser
		reason string
	}{{left, "signed_out_elsewhere"}, {named, "revoked"}} {
		id := sessionOf(b.app.AccessToken)
		await(t, "the app is told", func() bool { return len(u.shop.toldOf(id)) > 0 })
		if got := u.explain(t, id); !strings.Contains(got, `"endReason": "`+b.reason+`"`) {
			t.Errorf("want it ended as %s:\n%s", b.reason, got)
		}
		_, err := u.refreshApp(b.app)
		refused(t, err, "invalid_grant")
	}
}

// An old node that is started anew says that it is too old, and undoes nothing.
func (u *upgrade) testRestart(t *testing.T) {
	plan := u.now.Must("", "migrate", "--plan")
	if code := u.old.Stop(); code != 0 {
		t.Errorf("the old node ended with %d", code)
	}
	u.old.Spawn()
	if code := u.old.AwaitExit(stage.ReadyWithin); code == 0 {
		t.Error("it starts again, and ends well")
	}
	if said := stage.Tail(u.old.Log(), 3); !strings.Contains(said, "newer than this binary") {
		t.Errorf("it says:\n%s", said)
	}
	if _, said, code := u.old.Command("", "migrate"); code == 0 || !strings.Contains(said, "newer than this binary") {
		t.Errorf("its migrate ends with %d: %s", code, said)
	}
	if got := u.now.Must("", "migrate", "--plan"); got != plan {
		t.Errorf("the schema was %q and is %q", plan, got)
	}
	refresh(t, u.now.Client(), signIn(t, u.now.Client(), upgradeUser, upgradePassword).RefreshToken)
}
