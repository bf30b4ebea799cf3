package rigs

// The server is killed between the commit of a sign-out and its telling the app: the app is told by the next process.

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"latchkey/api"
	"latchkey/internal/oidc"
	"latchkey/rigs/stage"
)

// toldWithin is longer than the lease of what a killed process had claimed.
const toldWithin = 90 * time.Second

func TestKilledBeforeAnAppIsTold(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, databaseURL string) {
		t.Parallel()
		shop := newShop(t)
		n := stage.NewNode(t, stage.Settings{"DATABASE_URL": databaseURL, "CLIENTS_FILE": shop.clientsFile(t)})
		n.Must(shopPassword+"\n", "user", "add", "--email", shopUser, "--first-name", "Ada", "--last-name", "Lovelace", "--password-stdin")
		n.Start()
		between := 0
		for range stage.Lane(t, 3, 20, 100) {
			id, signOut := shop.signIn(t, n)
			signOut()
			n.Kill()
			if len(shop.toldOf(id)) == 0 {
				between++
			}
			n.Start()
			for end := time.Now().Add(toldWithin); len(shop.toldOf(id)) == 0; time.Sleep(20 * time.Millisecond) {
				if time.Now().After(end) {
					t.Fatalf("the app was not told within %v: %s", toldWithin, n.Must("", "logout", "show", "--id", id))
				}
			}
		}
		t.Logf("%d kills came between commit and telling", between)
		if between == 0 {
			t.Error("no kill came between commit and telling")
		}
		// A process killed between the telling and its commit leaves a row that the next one tells again, after the lease.
		for end := time.Now().Add(toldWithin); ; time.Sleep(time.Second) {
			list := n.Must("", "logout", "list")
			if strings.Contains(list, "delivered") && !strings.Contains(list, "waiting") {
				break
			}
			if time.Now().After(end) {
				t.Fatalf("after %v the operator reads:\n%s", toldWithin, list)
			}
		}
		for session, told := range shop.all() {
			if len(slices.Compact(told)) != 1 {
				t.Errorf("session %s was told of by several names: %q", session, told)
			}
		}
		if found, said, code := n.Command("", "audit", "database"); code != 0 {
			t.Errorf("the auditor: %s%s", said, found)
		}
	})
}

const (
	shopUser     = "ada@example.com"
	shopPassword = "correct horse battery staple"
	shopCallback = "https://shop.example/callback"
	shopVerifier = "a-verifier-of-forty-three-characters-or-more"
)

// shop is an app: it signs a person in as a browser and its server do, and is told of what has ended.
type shop struct {
	*httptest.Server
	mu   sync.Mutex
	told map[string][]string // session -> jti of each token
}

func newShop(t *testing.T) *shop {
	s := &shop{told: map[string][]string{}}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		parts := strings.Split(r.PostFormValue("logout_token"), ".")
		var claims struct {
			SessionID string `json:"sid"`
			TokenID   string `json:"jti"`
		}
		if len(parts) == 3 {
			payload, _ := base64.RawURLEncoding.DecodeString(parts[1]) // what it does not decode has no sid
			_ = json.Unmarshal(payload, &claims)
		}
		if claims.SessionID == "" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.told[claims.SessionID] = append(s.told[claims.SessionID], claims.TokenID)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *shop) toldOf(session string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.told[session])
}

func (s *shop) all() map[string][]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.told)
}

func (s *shop) clientsFile(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "clients.toml")
	text := fmt.Sprintf("[[client]]\nalias = \"shop\"\nname = \"Shop\"\nurl = \"https://shop.example\"\nredirect_uris = [%q]\nbackchannel_logout_uri = %q\n", shopCallback, s.URL)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

var (
	hiddenField = regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]*)"`)
	leadsOn     = regexp.MustCompile(`http-equiv="refresh" content="0;url=([^"]+)"`)
)

// signIn signs the user in to the shop in a browser of its own, and returns the session with what signs out of it.
func (s *shop) signIn(t *testing.T, n *stage.Node) (session string, signOut func()) {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	base := n.Settings["PUBLIC_URL"]
	browser := &http.Client{Timeout: 30 * time.Second, Jar: jar, Transport: n.HTTP.Transport, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if !strings.HasPrefix(r.URL.String(), base) {
			return http.ErrUseLastResponse
		}
		return nil
	}}
	load := func(r *http.Request) (*http.Response, string) {
		t.Helper()
		res, err := browser.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res, string(body)
	}
	request := func(method, path string, form url.Values) *http.Request {
		r, err := http.NewRequest(method, base+path, strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		if form != nil {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set("Sec-Fetch-Site", "same-origin")
		}
		return r
	}
	_, page := load(request("GET", "/oauth/authorize?"+url.Values{
		"response_type": {"code"}, "client_id": {"shop"}, "redirect_uri": {shopCallback}, "scope": {"openid"},
		"code_challenge": {oidc.ChallengeOf(shopVerifier)}, "code_challenge_method": {"S256"},
	}.Encode(), nil))
	form := url.Values{"email": {shopUser}, "password": {shopPassword}}
	for _, field := range hiddenField.FindAllStringSubmatch(page, -1) {
		form.Set(html.UnescapeString(field[1]), html.UnescapeString(field[2]))
	}
	_, page = load(request("POST", "/signin", form))
	on := leadsOn.FindStringSubmatch(page)
	if on == nil {
		t.Fatalf("the sign-in leads nowhere:\n%s", page)
	}
	res, _ := load(request("GET", html.UnescapeString(on[1]), nil))
	back, err := res.Location()
	if err != nil || back.Query().Get("code") == "" {
		t.Fatalf("the app is answered by %d to %v: %v", res.StatusCode, back, err)
	}
	_, answer := load(request("POST", "/oauth/token", url.Values{
		"grant_type": {"authorization_code"}, "client_id": {"shop"}, "redirect_uri": {shopCallback},
		"code": {back.Query().Get("code")}, "code_verifier": {shopVerifier},
	}))
	var tokens api.AppTokens
	if err := json.Unmarshal([]byte(answer), &tokens); err != nil || tokens.IDToken == "" {
		t.Fatalf("the shop got %s", answer)
	}
	return sessionOf(tokens.IDToken), func() {
		t.Helper()
		res, page := load(request("GET", "/oauth/logout?"+url.Values{"id_token_hint": {tokens.IDToken}}.Encode(), nil))
		if res.StatusCode != http.StatusOK {
			t.Fatalf("sign out: %d\n%s", res.StatusCode, page)
		}
	}
}
