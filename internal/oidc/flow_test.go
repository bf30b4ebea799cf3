package oidc

import (
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"latchkey/internal/clients"
	"latchkey/internal/token"
)

func testFlow() Flow {
	return Flow{
		Query:     asked("scope", "openid email", "state", `a b+c&d=e "ü" <x>`).Encode(),
		At:        at,
		Browser:   "n4bQgYhMfWWaL-qgxVrQFaO_TxsrC4Is0V1sFbDwCgg",
		Proved:    "01932c5e-8f00-7a3b-9c4d-5e6f708192a2",
		Continued: "01932c5e-8f00-7a3b-9c4d-5e6f708192a3",
		Consented: "01932c5e-8f00-7a3b-9c4d-5e6f708192a4",
	}
}

func sealed(t testing.TB, f Flow, m *token.MasterKeys) string {
	t.Helper()
	raw, err := f.Seal(m)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestFlowsOpenAsTheyWereSealed(t *testing.T) {
	m := keys(t, testKey)
	plain := testFlow()
	plain.Continued, plain.Consented = "", ""
	for name, want := range map[string]Flow{"pressed": testFlow(), "fresh": plain, "empty": {At: at}} {
		raw := sealed(t, want, m)
		got, err := OpenFlow(m, raw, at)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
		if url.QueryEscape(raw) != raw {
			t.Errorf("%s: %q needs an escape in a URL", name, raw)
		}
		if sealed(t, want, m) == raw {
			t.Errorf("%s: sealed again, it is the same: whoever reads two knows that they are alike", name)
		}
	}
}

// A time finer than a microsecond, or of another zone, is the one that a row would hold.
func TestFlowsKeepMicroseconds(t *testing.T) {
	m := keys(t, testKey)
	f := testFlow()
	f.At = at.Add(789 * time.Nanosecond).In(time.FixedZone("", 3600))
	if got, err := OpenFlow(m, sealed(t, f, m), at); err != nil || got.At != at {
		t.Errorf("%v was opened as %v, %v", f.At, got.At, err)
	}
}

func TestFlowsRunOut(t *testing.T) {
	m := keys(t, testKey)
	raw := sealed(t, testFlow(), m)
	for _, tc := range []struct {
		name string
		now  time.Time
		want error
	}{
		{"at once", at, nil},
		{"by a clock that is behind", at.Add(-time.Minute), nil},
		{"in the last moment", at.Add(time.Hour - time.Microsecond), nil},
		{"after an hour", at.Add(time.Hour), ErrRunOut},
		{"after a year", at.AddDate(1, 0, 0), ErrRunOut},
	} {
		got, err := OpenFlow(m, raw, tc.now)
		if !errors.Is(err, tc.want) || (err == nil) != (tc.want == nil) {
			t.Errorf("%s: %v, want %v", tc.name, err, tc.want)
		}
		if diff := cmp.Diff(testFlow(), got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.name, diff)
		}
	}
}

// While master keys are rotated, both open; a key that only other nodes have says nothing about the flow.
func TestFlowsOfOtherMasterKeys(t *testing.T) {
	raw := sealed(t, testFlow(), keys(t, testKey))
	if got, err := OpenFlow(keys(t, otherKey+","+testKey), raw, at); err != nil || got != testFlow() {
		t.Errorf("the older key of two: %+v, %v", got, err)
	}
	if got, err := OpenFlow(keys(t, otherKey), raw, at); !errors.Is(err, token.ErrUnknownMasterKey) || got != (Flow{}) {
		t.Errorf("a key that is not in the ring: %+v, %v", got, err)
	}
}

func TestForeignFlows(t *testing.T) {
	m := keys(t, testKey)
	raw := sealed(t, testFlow(), m)
	resealed := func(label, text string, aad []byte) string {
		_, bytes, err := m.Seal(label, []byte(text), aad)
		if err != nil {
			t.Fatal(err)
		}
		id, _ := decode(raw)
		return encoding.EncodeToString(append(id[:8:8], bytes...))
	}
	if got, err := OpenFlow(m, resealed(labelFlow, `{"at":1}`, nil), time.UnixMicro(1)); err != nil || got.At.UnixMicro() != 1 {
		t.Fatalf("what is sealed here as a flow is not opened: %+v, %v", got, err)
	}
	for name, raw := range map[string]string{
		"nothing":           "",
		"a word":            "flow",
		"a dot more":        raw + ".",
		"padding":           raw + "==",
		"cut off":           raw[:len(raw)-4],
		"the id alone":      raw[:16],
		"twice":             raw + raw,
		"a newline":         raw[:100] + "\n" + raw[100:],
		"base64":            strings.Repeat("+/", 100),
		"another label":     resealed("mail payload v1", `{"at":1}`, nil),
		"another place":     resealed(labelFlow, `{"at":1}`, []byte("row")),
		"no JSON":           resealed(labelFlow, `at=1`, nil),
		"another JSON":      resealed(labelFlow, `{"at":"now"}`, nil),
		"longer than any":   resealed(labelFlow, `{"at":1}`+strings.Repeat(" ", maxFlow), nil),
		"100 kB of letters": strings.Repeat("A", 100_000),
	} {
		if got, err := OpenFlow(m, raw, at); !errors.Is(err, token.ErrMalformed) || got != (Flow{}) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// No character of a flow can be another: neither the id of its key, nor what is sealed, nor its spare bits.
func TestAlteredFlows(t *testing.T) {
	m := keys(t, testKey)
	raw := sealed(t, testFlow(), m)
	for i := range raw {
		next := byte('A')
		if raw[i] != 'Z' && raw[i] != 'z' && raw[i] != '9' && raw[i] != '-' && raw[i] != '_' {
			next = raw[i] + 1
		}
		altered := raw[:i] + string(next) + raw[i+1:]
		got, err := OpenFlow(m, altered, at)
		if refused := errors.Is(err, token.ErrMalformed) || i < 11 && errors.Is(err, token.ErrUnknownMasterKey); !refused || got != (Flow{}) {
			t.Errorf("character %d, %q for %q: %+v, %v", i, next, raw[i], got, err)
		}
	}
}

// What cannot come back as it was is not sealed.
func TestFlowsThatAreNotSealed(t *testing.T) {
	m := keys(t, testKey)
	for name, change := range map[string]func(*Flow){
		"a query in another order":  func(f *Flow) { f.Query = "b=1&a=2" },
		"a query in other escapes":  func(f *Flow) { f.Query = "a=%7e" },
		"a query with a semicolon":  func(f *Flow) { f.Query = "a=1;b=2" },
		"a parameter twice":         func(f *Flow) { f.Query = "a=1&a=2" },
		"a parameter not in UTF-8":  func(f *Flow) { f.Query = "a=%FF" },
		"a name not in UTF-8":       func(f *Flow) { f.Query = "%FF=a" },
		"a browser not in UTF-8":    func(f *Flow) { f.Browser = "\xff" },
		"a session not in UTF-8":    func(f *Flow) { f.Continued = "\xff" },
		"half a letter, then half":  func(f *Flow) { f.Continued, f.Consented = "\xc3", "\xbc" },
		"a query that was not read": func(f *Flow) { f.Query = "?" + f.Query },
	} {
		f := testFlow()
		change(&f)
		if raw, err := f.Seal(m); err == nil {
			t.Errorf("%s: sealed as %q", name, raw)
		}
	}
}

// The longest request that is taken, in characters that are sealed as two, can be sealed and opened.
func TestTheLongestRequestFits(t *testing.T) {
	registered := set(t, shop())
	for name, fill := range map[string]string{"quotes": `"`, "backslashes": `\`, "line separators": "\u2028", "letters": "x", "umlauts": "ü", "markup": "<"} {
		query := asked("state", strings.Repeat(fill, maxState/len(fill)), "nonce", strings.Repeat(fill, maxNonce/len(fill)))
		rest := maxParameters - len("login_hint")
		for name, values := range query {
			rest -= len(name) + len(values[0])
		}
		query.Set("login_hint", strings.Repeat(fill, rest/len(fill)))
		request, err := Read(query, registered)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		f := testFlow()
		f.Query = request.Query()
		raw := sealed(t, f, keys(t, testKey))
		got, err := OpenFlow(keys(t, testKey), raw, at)
		if diff := cmp.Diff(f, got); err != nil || diff != "" {
			t.Errorf("%s, %d bytes: %v (-want +got):\n%s", name, len(raw), err, diff)
		}
	}
}

// The clients file may have changed since the request came.
func TestFlowsAreReadByTheCurrentFile(t *testing.T) {
	before := set(t, shop(), desk())
	request, err := Read(asked("client_id", "desk", "redirect_uri", "https://desk.example/callback", "scope", "openid account", "state", "xyz"), before)
	if err != nil {
		t.Fatal(err)
	}
	f := Flow{Query: request.Query(), At: at}
	changed := func(change func(*clients.Client)) *clients.Set {
		c := desk()
		change(&c)
		return set(t, c)
	}

	if got, err := f.Request(changed(func(c *clients.Client) { c.Account = false })); err != nil || cmp.Diff([]string{"openid"}, got.Scopes) != "" {
		t.Errorf("a client that may no longer have account: %v, %v", got.Scopes, err)
	}
	for name, now := range map[string]*clients.Set{
		"the client is gone":       set(t, shop()),
		"the redirect URI is gone": changed(func(c *clients.Client) { c.RedirectURIs = []string{"https://desk.example/other"} }),
	} {
		if got, err := f.Request(now); !isUnknown(err) || got.RedirectURI != "" {
			t.Errorf("%s: %q, %v", name, got.RedirectURI, err)
		}
	}

	request, err = Read(asked("resource", "https://api.shop.example", "state", "xyz"), before)
	if err != nil {
		t.Fatal(err)
	}
	other := shop()
	other.Audiences = nil
	got, err := Flow{Query: request.Query()}.Request(set(t, other))
	if refusal, ok := errors.AsType[*Refusal](err); !ok || refusal.Code != "invalid_target" || got.State != "xyz" {
		t.Errorf("the resource is gone: %v, with state %q", err, got.State)
	}
	if _, err := (Flow{Query: "%"}).Request(before); err == nil {
		t.Error("a query that is none was read")
	}
}

func isUnknown(err error) bool {
	_, ok := errors.AsType[*Unknown](err)
	return ok
}

// What one node has sealed another opens, of this release or the next.
func TestFlowsOfAnotherNode(t *testing.T) {
	got, err := OpenFlow(keys(t, testKey), knownFlow, at)
	want := testFlow()
	want.Proved = ""
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Fatalf("%v (-want +got):\n%s", err, diff)
	}
}
