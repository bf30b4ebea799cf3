package token

// The keys, tokens and moments that the tests share.

import (
	"crypto/ed25519"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	testKey    = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=" // 0x00 … 0x1f
	testKeyID  = "e17fc185287e9692"
	otherKey   = "Hx4dHBsaGRgXFhUUExIREA8ODQwLCgkIBwYFBAMCAQA=" // 0x1f … 0x00
	otherKeyID = "cf1c025e22202d8a"

	issuer   = "https://id.example.org"
	audience = "https://api.example.org"
	session  = "01932c5e-8f00-7a3b-9c4d-5e6f708192a3"
)

// at is the moment at which the tests' tokens are fresh.
var at = time.Unix(1_795_420_800, 0).UTC()

var algorithms = []string{"ES256", "EdDSA", "RS256"}

func ring(t testing.TB, text string) *MasterKeys {
	t.Helper()
	m, err := ParseMasterKeys(text)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func testRefresh() Refresh {
	return Refresh{
		KeyID:      testKeyID,
		Issuer:     issuer,
		SessionID:  session,
		Client:     "studio",
		Generation: 7,
		IssuedAt:   at,
		ExpiresAt:  at.Add(14 * 24 * time.Hour),
	}
}

func testAccess() Access {
	return Access{
		Issuer:        issuer,
		Subject:       "01932c5e-8f00-7000-8000-000000000001",
		Audience:      audience,
		TokenID:       "01932c5e-8f00-7000-8000-000000000002",
		SessionID:     session,
		Client:        "studio",
		Email:         "ada@example.org",
		GivenName:     "Ada",
		FamilyName:    "Lovelace",
		Scope:         "email profile",
		EmailVerified: true,
		IssuedAt:      at,
		ExpiresAt:     at.Add(10 * time.Minute),
		AuthTime:      at.Add(-time.Hour),
	}
}

func testID() ID {
	return ID{
		Issuer:     issuer,
		Subject:    "01932c5e-8f00-7000-8000-000000000001",
		Audience:   "shop",
		SessionID:  session,
		IssuedAt:   at,
		ExpiresAt:  at.Add(10 * time.Minute),
		AuthTime:   at.Add(-time.Hour),
		Nonce:      "n-0S6_WzA2Mj",
		ACR:        "aal1",
		AMR:        []string{"pwd"},
		Email:      "ada@example.org",
		GivenName:  "Ada",
		FamilyName: "Lovelace",
		Locale:     "de",
		UpdatedAt:  at.Add(-24 * time.Hour),
	}
}

// signingKey returns a key in use since an hour before at, the same one whenever it is asked for an algorithm.
func signingKey(t testing.TB, alg string) SigningKey {
	t.Helper()
	key, ok := signingKeys()[alg]
	if !ok {
		t.Fatalf("no key could be made for %s", alg)
	}
	return key
}

var signingKeys = sync.OnceValue(func() map[string]SigningKey {
	keys := map[string]SigningKey{}
	for _, alg := range algorithms {
		if key, err := NewSigningKey(alg); err == nil {
			keys[alg] = inUse(key)
		}
	}
	return keys
})

func inUse(key SigningKey) SigningKey {
	key.CreatedAt, key.UseFrom = at.Add(-2*time.Hour), at.Add(-time.Hour)
	return key
}

// publishedKey is the key of RFC 8037 Appendix A, so that tokens under it can be written down.
func publishedKey(t testing.TB) SigningKey {
	t.Helper()
	seed, ok := decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A")
	if !ok {
		t.Fatal("the key of RFC 8037 does not decode")
	}
	key, err := newSigningKey("EdDSA", ed25519.NewKeyFromSeed(seed))
	if err != nil {
		t.Fatal(err)
	}
	return inUse(key)
}

// misspelt returns, by name, other spellings of a three-part token that a lenient reader would take for the same.
func misspelt(t testing.TB, raw string) map[string]string {
	t.Helper()
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		t.Fatalf("a token with %d parts", len(parts))
	}
	with := func(i int, part string) string {
		changed := append([]string{}, parts...)
		changed[i] = part
		return strings.Join(changed, ".")
	}
	spellings := map[string]string{
		"empty":          "",
		"dots":           "..",
		"one part":       parts[0],
		"two parts":      parts[0] + "." + parts[1],
		"four parts":     raw + ".",
		"five parts":     raw + ".." + parts[2],
		"leading dot":    "." + raw,
		"space before":   " " + raw,
		"space after":    raw + " ",
		"newline after":  raw + "\n",
		"quoted":         `"` + raw + `"`,
		"Bearer":         "Bearer " + raw,
		"NUL after":      raw + "\x00",
		"no signature":   with(2, ""),
		"no payload":     with(1, ""),
		"no header":      with(0, ""),
		"flattened JSON": `{"protected":"` + parts[0] + `","payload":"` + parts[1] + `","signature":"` + parts[2] + `"}`,
	}
	for i, name := range []string{"header", "payload", "signature"} {
		spellings["padding in "+name] = with(i, parts[i]+"=")
		spellings["CR in "+name] = with(i, parts[i][:5]+"\r"+parts[i][5:])
		spellings["LF in "+name] = with(i, parts[i][:5]+"\n"+parts[i][5:])
		spellings["CRLF ends "+name] = with(i, parts[i]+"\r\n")
		spellings["one more digit in "+name] = with(i, parts[i]+"A")
		spellings["last digit missing in "+name] = with(i, parts[i][:len(parts[i])-1])
		if len(parts[i])%4 != 0 {
			spellings["spare bit in "+name] = with(i, flipSpareBit(parts[i]))
		}
		if standard := strings.NewReplacer("-", "+", "_", "/").Replace(parts[i]); standard != parts[i] {
			spellings["standard alphabet in "+name] = with(i, standard)
		}
	}
	return spellings
}

// flipSpareBit changes the last digit's lowest bit, which carries nothing where a part's length is no multiple of four.
func flipSpareBit(part string) string {
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := len(part) - 1
	return part[:last] + string(digits[strings.IndexByte(digits, part[last])^1])
}
