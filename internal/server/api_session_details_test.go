package server_test

// What sessionDetails asks of a cookie that the existing web client's own server makes. The cookie is made here
// from the RFCs, by none of the server's code.

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/md5"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"latchkey/api"
	"latchkey/internal/audit"
	"latchkey/internal/auth"
	"latchkey/internal/authtest"
	"latchkey/internal/clients"
	"latchkey/internal/peer"
	"latchkey/internal/store"
)

const (
	nextAuthSecret = "a secret of next-auth, of 40 characters."
	otherSecret    = "the secret of another app's own server.."
	wrappingKey    = "studio-client-test-key-0123456789"
	cookieName     = "next-auth.session-token"
)

func withNextAuth(o *auth.Options) {
	list := append(o.Clients.List(),
		clients.Client{Alias: "CREDEBL", Name: "CREDEBL", URL: studioURL, SignupWithoutCode: true, NextAuthSecret: nextAuthSecret},
		clients.Client{Alias: "secure", URL: "https://secure.example.org", NextAuthSecret: otherSecret})
	clients, err := clients.New(list)
	if err != nil {
		panic(err) // the list above is wrong
	}
	o.Clients, o.TransportKey = clients, wrappingKey
}

// nextAuthCookie is what next-auth 4 makes: RFC 7516 §7.1 with dir and A256GCM, under a key by RFC 5869.
func nextAuthCookie(secret, header string, claims members) string {
	extract := hmac.New(sha256.New, make([]byte, sha256.Size)) // no salt
	extract.Write([]byte(secret))
	expand := hmac.New(sha256.New, extract.Sum(nil))
	expand.Write([]byte("NextAuth.js Generated Encryption Key\x01"))
	block, err := aes.NewCipher(expand.Sum(nil))
	if err != nil {
		panic(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	text, err := json.Marshal(claims)
	if err != nil {
		panic(err)
	}
	iv := make([]byte, 12)
	_, _ = rand.Read(iv)
	head := base64.RawURLEncoding.EncodeToString([]byte(header))
	sealed := gcm.Seal(nil, iv, text, []byte(head))
	cut := len(sealed) - gcm.Overhead()
	parts := []string{head, ""}
	for _, part := range [][]byte{iv, sealed[:cut], sealed[cut:]} {
		parts = append(parts, base64.RawURLEncoding.EncodeToString(part))
	}
	return strings.Join(parts, ".")
}

const plainHeader = `{"alg":"dir","enc":"A256GCM"}`

// wrapped is CryptoJS's AES with a pass phrase, of JSON.stringify(text).
func wrapped(key, text string) string {
	quoted := strconv.Quote(text)
	n := aes.BlockSize - len(quoted)%aes.BlockSize
	padded := []byte(quoted + strings.Repeat(string(rune(n)), n))
	salt := make([]byte, 8)
	_, _ = rand.Read(salt)
	var made, last []byte
	for len(made) < 48 {
		sum := md5.Sum([]byte(string(last) + key + string(salt)))
		last, made = sum[:], append(made, sum[:]...)
	}
	block, err := aes.NewCipher(made[:32])
	if err != nil {
		panic(err)
	}
	cipher.NewCBCEncrypter(block, made[32:48]).CryptBlocks(padded, padded)
	return base64.StdEncoding.EncodeToString(append([]byte("Salted__"+string(salt)), padded...))
}

const fromItsPage = "Sec-Fetch-Site: same-origin"

// cookieFor is that client's cookie for a session, good for a month as next-auth makes it.
func (a *app) cookieFor(sessionID string) string {
	return "Cookie: " + cookieName + "=" + nextAuthCookie(nextAuthSecret, plainHeader, members{
		"sessionId": sessionID, "iat": a.Clock.Now().Unix(), "exp": a.Clock.Now().Add(30 * 24 * time.Hour).Unix(), "jti": "x",
	})
}

func (a *app) details(parameter string, headers ...string) answer {
	a.Helper()
	return a.get("/auth/sessionDetails?"+url.Values{"sessionId": {parameter}}.Encode(), headers...)
}

// signInAt signs a new user in through a client, whose address may have a plus sign.
func (a *app) signInAt(alias string) (email string, tokens api.Tokens) {
	a.Helper()
	email = a.taggedEmail()
	a.AddUser(a.T, email)
	return email, dataOf[api.Tokens](a.post("/auth/signin", members{"email": email, "password": authtest.Password, "clientAlias": alias}).is("200"))
}

func TestSessionDetailsTakesItsCookieInEveryForm(t *testing.T) {
	onBothEngines(t, withNextAuth, func(t *testing.T, n *node) {
		a := n.enter(t)
		_, tokens := a.signInAt("CREDEBL")
		id, cookie := tokens.SessionID, a.cookieFor(tokens.SessionID)
		_, value, _ := strings.Cut(cookie, "=")
		for name, parameter := range map[string]string{
			"plain": id, "upper case": strings.ToUpper(id), "wrapped": wrapped(wrappingKey, id), "escaped twice": url.QueryEscape(wrapped(wrappingKey, id)),
		} {
			if x := a.details(parameter, fromItsPage, cookie); x.status != 200 || dataOf[api.SessionDetails](x).ID != id {
				t.Errorf("%s: %d %s", name, x.status, x.body)
			}
		}
		var plus string
		for !strings.Contains(plus, "+") {
			plus = wrapped(wrappingKey, id)
		}
		a.get("/auth/sessionDetails?sessionId="+plus, fromItsPage, cookie).is("200") // the plus sign raw
		a.get("/v1/auth/sessionDetails?sessionId="+id, fromItsPage, cookie).is("200")
		parts := "Cookie: " + cookieName + ".1=" + value[40:] + "; a=b; " + cookieName + ".0=" + value[:40]
		a.details(id, fromItsPage, parts).is("200")
		a.details(id, fromItsPage, strings.Replace(parts, ".0=", ".2=", 1)).is("404 not_found")
		a.details(id, fromItsPage, "Cookie: __Secure-"+cookieName+"="+value).is("404 not_found") // that app is on http

		_, secure := a.signInAt("secure") // another secret, on https
		raw := nextAuthCookie(otherSecret, plainHeader, members{"sessionId": secure.SessionID, "exp": a.Clock.Now().Add(time.Hour).Unix()})
		a.details(secure.SessionID, fromItsPage, "Cookie: __Secure-"+cookieName+"="+raw).is("200")
		a.details(secure.SessionID, fromItsPage, "Cookie: "+cookieName+"="+raw).is("404 not_found")
	})
}

func TestSessionDetailsAreForTheCookiesOwner(t *testing.T) {
	onBothEngines(t, withNextAuth, func(t *testing.T, n *node) {
		a := n.enter(t)
		_, mine := a.signInAt("CREDEBL")
		_, theirs := a.signInAt("CREDEBL")
		id, cookie := mine.SessionID, a.cookieFor(mine.SessionID)
		soon := a.Clock.Now().Add(time.Hour).Unix()
		made := func(secret, header string, claims members) string {
			return "Cookie: " + cookieName + "=" + nextAuthCookie(secret, header, claims)
		}
		for name, headers := range map[string][]string{
			"no cookie":            {fromItsPage, bearer(mine.AccessToken)},
			"another user's":       {fromItsPage, a.cookieFor(theirs.SessionID)},
			"run out":              {fromItsPage, made(nextAuthSecret, plainHeader, members{"sessionId": id, "exp": a.Clock.Now().Unix()})},
			"no time":              {fromItsPage, made(nextAuthSecret, plainHeader, members{"sessionId": id})},
			"a time in words":      {fromItsPage, made(nextAuthSecret, plainHeader, members{"sessionId": id, "exp": "9999999999"})},
			"no session":           {fromItsPage, made(nextAuthSecret, plainHeader, members{"exp": soon})},
			"another secret":       {fromItsPage, made("x"+nextAuthSecret, plainHeader, members{"sessionId": id, "exp": soon})},
			"another encryption":   {fromItsPage, made(nextAuthSecret, `{"alg":"dir","enc":"A128GCM"}`, members{"sessionId": id, "exp": soon})},
			"another algorithm":    {fromItsPage, made(nextAuthSecret, `{"alg":"A256KW","enc":"A256GCM"}`, members{"sessionId": id, "exp": soon})},
			"the plain claims":     {fromItsPage, "Cookie: " + cookieName + "=" + `{"sessionId":"` + id + `"}`},
			"an access token":      {fromItsPage, "Cookie: " + cookieName + "=" + mine.AccessToken},
			"cross-site":           {"Sec-Fetch-Site: cross-site", cookie},
			"same-site":            {"Sec-Fetch-Site: same-site", cookie},
			"a person":             {"Sec-Fetch-Site: none", cookie},
			"no Fetch Metadata":    {cookie},
			"said twice":           {fromItsPage, "Sec-Fetch-Site: cross-site", cookie},
			"another origin":       {"Sec-Fetch-Site: cross-site", "Origin: " + studioURL, cookie},
			"another's, as a page": {"Sec-Fetch-Site: none", a.cookieFor(theirs.SessionID)},
		} {
			for _, parameter := range []string{id, wrapped(wrappingKey, id)} {
				x := a.details(parameter, headers...)
				if what(x.status, x.header, x.body) != "404 not_found" || x.header.Get("Access-Control-Allow-Origin") != "" || strings.Contains(string(x.body), "eyJ") {
					t.Errorf("%s: %d %s, %v", name, x.status, x.body, x.header)
				}
			}
		}
		for _, parameter := range []string{"", "x", theirs.SessionID, wrapped("another key", id), wrapped(wrappingKey, id)[:40], wrapped(wrappingKey, "{"+id+"}")} {
			a.details(parameter, fromItsPage, cookie).is("404 not_found")
		}
		for _, method := range []string{"OPTIONS", "POST"} {
			h := a.send(method, "/auth/sessionDetails", nil, "Origin: "+studioURL, "Access-Control-Request-Method: GET", "Access-Control-Request-Headers: x").header
			for name := range h {
				if strings.HasPrefix(name, "Access-Control-") {
					t.Errorf("%s: %s is %q", method, name, h[name])
				}
			}
		}
		a.alive(theirs)
		a.alive(mine)
	})
}

// A dead session, one of the hosted pages, and one of another client are one answer.
func TestSessionDetailsOfOthersAreNull(t *testing.T) {
	onBothEngines(t, withNextAuth, func(t *testing.T, n *node) {
		a := n.enter(t)
		_, ended := a.signInAt("CREDEBL")
		a.post("/auth/signout", nil, bearer(ended.AccessToken)).is("200")
		_, otherClient := a.signInAt("mobile")
		page, err := a.Service.SignInPage(t.Context(), auth.SignIn{Email: a.user(), Password: auth.Password{Value: authtest.Password}, ClientAlias: "CREDEBL"}, peer.Peer{})
		if err != nil {
			t.Fatal(err)
		}
		_, idle := a.signInAt("CREDEBL")
		var bodies []string
		ids := []string{ended.SessionID, otherClient.SessionID, page.Caller.SessionID, "0199a1b2-c3d4-7e5f-8a6b-0123456789ab", a.shrunk()}
		for _, id := range ids {
			bodies = append(bodies, string(a.details(id, fromItsPage, a.cookieFor(id)).is("200").body))
		}
		a.Clock.Advance(a.Options.RefreshIdle + time.Second)
		bodies = append(bodies, string(a.details(idle.SessionID, fromItsPage, a.cookieFor(idle.SessionID)).is("200").body))
		for i, body := range bodies {
			if body != bodies[0] || !strings.Contains(body, `"data":null`) {
				t.Errorf("case %d: %s", i, body)
			}
		}
	})
}

// shrunk is a session of which only its end is kept.
func (a *app) shrunk() (id string) {
	a.Helper()
	email, tokens := a.signInAt("CREDEBL")
	a.post("/auth/signout", nil, bearer(tokens.AccessToken)).is("200")
	a.Clock.Advance(time.Second)
	a.post("/auth/signout", nil, bearer(a.In(a.T, email).AccessToken)).is("200")
	err := a.Store.Write(a.Context(), func(tx *store.Tx) error {
		moved, err := tx.TrimEnded(a.userID(tokens), 1, 100, a.Clock.Now().Add(time.Second))
		if err == nil && moved != 1 {
			err = fmt.Errorf("%d sessions shrank", moved)
		}
		return err
	})
	if err != nil {
		a.Fatal(err)
	}
	return tokens.SessionID
}

func TestSessionDetailsAreAuditedAndLimited(t *testing.T) {
	onBothEngines(t, withNextAuth, func(t *testing.T, n *node) {
		a := n.enter(t)
		_, mine := a.signInAt("CREDEBL")
		_, theirs := a.signInAt("CREDEBL")
		shrunk := a.shrunk()
		for _, id := range []string{shrunk, mine.SessionID} {
			a.details(theirs.SessionID, fromItsPage, a.cookieFor(id)).is("404 not_found")
			found, err := a.Service.AuditEvents(t.Context(), audit.Query{Limit: 1000})
			if err != nil {
				t.Fatal(err)
			}
			found = slices.DeleteFunc(found, func(e store.AuditEvent) bool { return e.Kind != "session_details_refused" || e.SessionID != id })
			if len(found) != 1 || found[0].Outcome != "refused" || found[0].UserID == "" {
				t.Errorf("audited: %+v", found)
			}
		}
		a.Clock.Stop() // the quota fills up again with time
		last := 0
		for range 700 {
			if last = a.details(mine.SessionID, fromItsPage, a.cookieFor(mine.SessionID)).status; last == 429 {
				break
			}
		}
		if last != 429 {
			t.Errorf("after 700 in a row: %d", last)
		}
		a.details(mine.SessionID, fromItsPage, a.cookieFor(mine.SessionID), from(a.node.address())).is("200")
		a.alive(mine) // nothing else is held up
	})
}

func TestNextAuthSecretIsChecked(t *testing.T) {
	for _, secret := range []string{"x", strings.Repeat("x", 31), strings.Repeat("ü", 31)} {
		_, err := clients.New([]clients.Client{{Alias: "app", URL: "https://app.example.com", NextAuthSecret: secret}})
		if err == nil || !strings.Contains(err.Error(), "nextauth_secret") || strings.Contains(err.Error(), secret+" ") && len(secret) > 1 {
			t.Errorf("%d characters: %v", len(secret), err)
		}
	}
	r := authtest.New(t, authtest.SQLite(t))
	for _, c := range []clients.Client{{URL: "https://auth.example.com/app"}, {URL: "https://app.example.com", URLs: []string{"https://AUTH.example.com:443"}}} {
		c.Alias, c.NextAuthSecret = "app", nextAuthSecret
		clients, err := clients.New([]clients.Client{c})
		if err != nil {
			t.Fatal(err)
		}
		o := r.Options
		o.Issuer, o.Clients = "https://auth.example.com", clients
		if _, err := auth.New(t.Context(), o); err == nil || !strings.Contains(err.Error(), "LATCHKEY_PUBLIC_URL") {
			t.Errorf("%s on the public URL's origin: %v", c.URL, err)
		}
		o.Issuer = "https://login.example.com"
		if _, err := auth.New(t.Context(), o); err != nil {
			t.Errorf("apart: %v", err)
		}
	}
}
