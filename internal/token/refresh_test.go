package token

import (
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"
)

// The tokens were computed by a program in another language from the RFCs (7515, 5869) and docs/adr/0004-key-storage.md. They must never change, not
// with a release of Go's encoder either: a token that is spelt otherwise after an upgrade signs its owner out.
const (
	knownRefresh = "eyJ0eXAiOiJydCtqd3QiLCJhbGciOiJIUzI1NiIsImtpZCI6ImUxN2ZjMTg1Mjg3ZTk2OTIifQ." +
		"eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUub3JnIiwic2lkIjoiMDE5MzJjNWUtOGYwMC03YTNiLTljNGQtNWU2ZjcwODE5MmEzIiwi" +
		"Z2VuIjo3LCJpYXQiOjE3OTU0MjA4MDAsImV4cCI6MTc5NjYzMDQwMCwiYXpwIjoic3R1ZGlvIn0." +
		"3TskTnFq5-NdOHb5CYv5aJXf1NrsfNh_nKgoNdvxKWA"
	knownRefreshEscaped = "eyJ0eXAiOiJydCtqd3QiLCJhbGciOiJIUzI1NiIsImtpZCI6ImUxN2ZjMTg1Mjg3ZTk2OTIifQ." +
		"eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUub3JnL2E_Yj0xXHUwMDI2YyIsInNpZCI6IjAxOTMyYzVlLThmMDAtN2EzYi05YzRkLTVl" +
		"NmY3MDgxOTJhMyIsImdlbiI6NywiaWF0IjoxNzk1NDIwODAwLCJleHAiOjE3OTY2MzA0MDAsImF6cCI6ImNhZsOpIFx1MDAzY1wieFwi" +
		"XHUwMDNlIn0.vYTKBIDUgQzlaNq94GikojKzLEgYrEm_ZXbAruPZZhQ"
)

func TestRefreshIsStable(t *testing.T) {
	escaped := testRefresh()
	escaped.Issuer, escaped.Client = "https://id.example.org/a?b=1&c", `café <"x">`
	m := ring(t, testKey)
	for want, r := range map[string]Refresh{knownRefresh: testRefresh(), knownRefreshEscaped: escaped} {
		if got, err := m.SignRefresh(r); err != nil || got != want {
			t.Errorf("SignRefresh(%+v) = %s, %v\nwant %s", r, got, err, want)
		}
		got, err := m.ParseRefresh(want)
		if err != nil {
			t.Errorf("ParseRefresh: %v", err)
		}
		if diff := cmp.Diff(r, got); diff != "" {
			t.Errorf("ParseRefresh (-want +got):\n%s", diff)
		}
	}
}

func TestRefreshTellsApart(t *testing.T) {
	m := ring(t, testKey+","+otherKey)
	seen := map[string]string{knownRefresh: "the first"}
	for name, change := range map[string]func(*Refresh){
		"master key": func(r *Refresh) { r.KeyID = otherKeyID },
		"issuer":     func(r *Refresh) { r.Issuer += "/x" },
		"session":    func(r *Refresh) { r.SessionID = "01932c5e-8f00-7a3b-9c4d-5e6f708192a4" },
		"client":     func(r *Refresh) { r.Client = "latchkey" },
		"generation": func(r *Refresh) { r.Generation++ },
		"issued":     func(r *Refresh) { r.IssuedAt = r.IssuedAt.Add(time.Second) },
		"expiry":     func(r *Refresh) { r.ExpiresAt = r.ExpiresAt.Add(time.Second) },
	} {
		r := testRefresh()
		change(&r)
		raw, err := m.SignRefresh(r)
		if err != nil || seen[raw] != "" {
			t.Errorf("%s changed: the token of %q, %v", name, seen[raw], err)
		}
		seen[raw] = name
		if got, err := m.ParseRefresh(raw); err != nil || got != r {
			t.Errorf("%s changed: parsed %+v, %v", name, got, err)
		}
	}
}

func TestRefreshCountsWholeSeconds(t *testing.T) {
	r := testRefresh()
	r.IssuedAt = r.IssuedAt.Add(999 * time.Millisecond).In(time.FixedZone("", 3600))
	if raw, err := ring(t, testKey).SignRefresh(r); err != nil || raw != knownRefresh {
		t.Errorf("SignRefresh = %s, %v", raw, err)
	}
}

func TestSignRefreshRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*Refresh)
		says   string
	}{
		"no master key":      {func(r *Refresh) { r.KeyID = "" }, "unknown master key"},
		"unknown master key": {func(r *Refresh) { r.KeyID = otherKeyID }, "unknown master key"},
		"no session":         {func(r *Refresh) { r.SessionID = "" }, "missing"},
		"generation 0":       {func(r *Refresh) { r.Generation = 0 }, "missing"},
		"generation -1":      {func(r *Refresh) { r.Generation = -1 }, "missing"},
		"never issued":       {func(r *Refresh) { r.IssuedAt = time.Time{} }, "missing"},
		"never expires":      {func(r *Refresh) { r.ExpiresAt = time.Time{} }, "missing"},
		"issuer not text":    {func(r *Refresh) { r.Issuer = "\xff" }, "not UTF-8"},
		"session not text":   {func(r *Refresh) { r.SessionID = "\xff" }, "not UTF-8"},
		"client not text":    {func(r *Refresh) { r.Client = "\xff" }, "not UTF-8"},
		"too long":           {func(r *Refresh) { r.Client = strings.Repeat("x", maxRefresh) }, "too long"},
	} {
		t.Run(name, func(t *testing.T) {
			r := testRefresh()
			tc.change(&r)
			raw, err := ring(t, testKey).SignRefresh(r)
			if err == nil || raw != "" || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("SignRefresh = %q, %v; want an error that says %q", raw, err, tc.says)
			}
		})
	}
	r := testRefresh()
	r.KeyID = otherKeyID
	if _, err := ring(t, testKey).SignRefresh(r); !errors.Is(err, ErrUnknownMasterKey) {
		t.Errorf("a key not in the ring: %v", err)
	}
}

func TestParseRefreshTakesOneSpelling(t *testing.T) {
	m := ring(t, testKey)
	for name, raw := range misspelt(t, knownRefresh) {
		if r, err := m.ParseRefresh(raw); !errors.Is(err, ErrMalformed) || r != (Refresh{}) {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
}

// A byte changed anywhere, to any other value, is another token; only in the key's id may it be another key.
func TestParseRefreshRefusesEveryChange(t *testing.T) {
	m := ring(t, testKey)
	for i := range knownRefresh {
		for bit := range 8 {
			changed := []byte(knownRefresh)
			changed[i] ^= 1 << bit
			_, err := m.ParseRefresh(string(changed))
			if !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrUnknownMasterKey) {
				t.Errorf("byte %d, bit %d changed: %v", i, bit, err)
			}
		}
	}
}

// sealRefresh spells a token as it is told to and gives it a right MAC, which only the holder of the master key can.
func sealRefresh(t *testing.T, head, claims string) string {
	t.Helper()
	key, err := ring(t, testKey).derive(testKeyID, "refresh v1"+session)
	if err != nil {
		t.Fatal(err)
	}
	signed := encoding.EncodeToString([]byte(head)) + "." + encoding.EncodeToString([]byte(claims))
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(signed))
	return signed + "." + encoding.EncodeToString(mac.Sum(nil))
}

func TestParseRefreshReadsOneForm(t *testing.T) {
	const (
		head   = `{"typ":"rt+jwt","alg":"HS256","kid":"` + testKeyID + `"}`
		claims = `{"iss":"https://id.example.org","sid":"` + session + `","gen":7,"iat":1795420800,"exp":1796630400,"azp":"studio"}`
	)
	if sealRefresh(t, head, claims) != knownRefresh {
		t.Fatal("the test spells the token differently: it proves nothing")
	}
	in := func(text, old, new string) string {
		if !strings.Contains(text, old) {
			t.Fatalf("%s not in %s", old, text)
		}
		return strings.Replace(text, old, new, 1)
	}
	for name, tc := range map[string]struct{ head, claims string }{
		"type of an access token":   {in(head, "rt+jwt", "at+jwt"), claims},
		"type in capitals":          {in(head, "rt+jwt", "RT+JWT"), claims},
		"no type":                   {in(head, `"typ":"rt+jwt",`, ""), claims},
		"no algorithm":              {in(head, "HS256", "none"), claims},
		"another algorithm":         {in(head, "HS256", "HS512"), claims},
		"no key id":                 {in(head, `,"kid":"`+testKeyID+`"`, ""), claims},
		"key id in capitals":        {in(head, testKeyID, strings.ToUpper(testKeyID)), claims},
		"key id of no form":         {in(head, testKeyID, "../../etc/passwd"), claims},
		"one more header field":     {in(head, `"}`, `","jku":"https://evil.example"}`), claims},
		"header fields reordered":   {`{"alg":"HS256","typ":"rt+jwt","kid":"` + testKeyID + `"}`, claims},
		"header with a space":       {in(head, ":", ": "), claims},
		"claims reordered":          {head, in(in(claims, `"gen":7,`, ""), `}`, `,"gen":7}`)},
		"claims with a space":       {head, in(claims, ":", ": ")},
		"one more claim":            {head, in(claims, "}", `,"admin":true}`)},
		"a claim twice":             {head, in(claims, `"gen":7`, `"gen":7,"gen":7`)},
		"a claim in capitals":       {head, in(claims, `"gen"`, `"GEN"`)},
		"generation as text":        {head, in(claims, `"gen":7`, `"gen":"7"`)},
		"generation as 7.0":         {head, in(claims, `"gen":7`, `"gen":7.0`)},
		"generation 0":              {head, in(claims, `"gen":7`, `"gen":0`)},
		"generation -7":             {head, in(claims, `"gen":7`, `"gen":-7`)},
		"generation past 64 bits":   {head, in(claims, `"gen":7`, `"gen":9223372036854775808`)},
		"no generation":             {head, in(claims, `"gen":7,`, ``)},
		"another session, this key": {head, in(claims, session, "01932c5e-8f00-7a3b-9c4d-5e6f708192a4")},
		"escaped letter":            {head, in(claims, "studio", `\u0073tudio`)},
		"bytes that are no text":    {head, in(claims, "studio", "\xff")},
		"null":                      {head, "null"},
		"a list":                    {head, "[]"},
		"trailing data":             {head, claims + "{}"},
		"trailing newline":          {head, claims + "\n"},
	} {
		t.Run(name, func(t *testing.T) {
			if r, err := ring(t, testKey).ParseRefresh(sealRefresh(t, tc.head, tc.claims)); !errors.Is(err, ErrMalformed) {
				t.Errorf("ParseRefresh = %+v, %v", r, err)
			}
		})
	}
}

func TestParseRefreshTooLong(t *testing.T) {
	m, r := ring(t, testKey), testRefresh()
	room := maxRefresh - len(knownRefresh)
	r.Client += strings.Repeat("x", room*3/4-2)
	raw, err := m.SignRefresh(r)
	if err != nil || len(raw) < maxRefresh-8 {
		t.Fatalf("%d bytes, %v: the test must reach the limit", len(raw), err)
	}
	if got, err := m.ParseRefresh(raw); err != nil || got != r {
		t.Errorf("at the limit: %v", err)
	}
	if _, err := m.ParseRefresh(strings.Repeat("A", 1<<20)); !errors.Is(err, ErrMalformed) {
		t.Errorf("a megabyte: %v", err)
	}
	long := knownRefresh + strings.Repeat("A", maxRefresh)
	if n := testing.AllocsPerRun(10, func() { _, _ = m.ParseRefresh(long) }); n > 0 {
		t.Errorf("%v allocations for a token over the limit: its length is not looked at first", n)
	}
}

// Nothing can be said of a token under a master key that this node does not have; the error says which key.
func TestParseRefreshNamesUnknownMasterKey(t *testing.T) {
	r, err := ring(t, otherKey).ParseRefresh(knownRefresh)
	if !errors.Is(err, ErrUnknownMasterKey) {
		t.Fatalf("error %v", err)
	}
	if diff := cmp.Diff(Refresh{KeyID: testKeyID}, r); diff != "" {
		t.Errorf("more than the key's id is believed (-want +got):\n%s", diff)
	}
}

// I7: an access token, a one-time token and a MAC of another session are no refresh tokens.
func TestParseRefreshRefusesOtherKinds(t *testing.T) {
	m := ring(t, testKey)
	access, err := NewKeyRing(AccessType, []SigningKey{publishedKey(t)}).SignAccess(testAccess(), at)
	if err != nil {
		t.Fatal(err)
	}
	oneTime, err := m.OneTime(testKeyID, "reset", "request-1")
	if err != nil {
		t.Fatal(err)
	}
	for _, raw := range []string{access, oneTime} {
		if _, err := m.ParseRefresh(raw); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", raw, err)
		}
	}
}

// Existing clients decode the token without a key for exp and azp; a general JWS library agrees that it is one.
func TestRefreshIsAnOrdinaryJWS(t *testing.T) {
	claims := jwt.MapClaims{}
	parsed, _, err := jwt.NewParser().ParseUnverified(knownRefresh, claims)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]any{"typ": "rt+jwt", "alg": "HS256", "kid": testKeyID}, parsed.Header); diff != "" {
		t.Errorf("header (-want +got):\n%s", diff)
	}
	want := jwt.MapClaims{
		"iss": issuer, "sid": session, "gen": 7.0, "azp": "studio",
		"iat": float64(at.Unix()), "exp": float64(at.Unix() + 14*24*3600),
	}
	if diff := cmp.Diff(want, claims); diff != "" {
		t.Errorf("claims (-want +got):\n%s", diff)
	}
	key, err := ring(t, testKey).derive(testKeyID, "refresh v1"+session)
	if err != nil {
		t.Fatal(err)
	}
	jws, err := jose.ParseSignedCompact(knownRefresh, []jose.SignatureAlgorithm{jose.HS256})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := jws.Verify(key); err != nil {
		t.Errorf("HS256 under HKDF(master, \"refresh v1\" ‖ sid): %v", err)
	}
}
