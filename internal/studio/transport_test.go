package studio

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"strings"
	"testing"
)

const transportKey = "studio-client-test-key-0123456789"

// sealTransport is the client's side: text is what it would make with JSON.stringify.
func sealTransport(key string, salt [saltLength]byte, text string) string {
	n := aes.BlockSize - len(text)%aes.BlockSize
	return sealBlocks(key, salt, append([]byte(text), bytes.Repeat([]byte{byte(n)}, n)...))
}

func sealBlocks(key string, salt [saltLength]byte, padded []byte) string {
	aesKey, iv := bytesToKey(key, salt[:])
	block, err := aes.NewCipher(aesKey)
	if err != nil {
		panic(err)
	}
	sealed := bytes.Clone(padded)
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(sealed, sealed)
	return base64.StdEncoding.EncodeToString(append(append([]byte(saltedMagic), salt[:]...), sealed...))
}

func TestOpenTransportVector(t *testing.T) {
	const vector = "U2FsdGVkX18AAQIDBAUGB0gpHTigvuVWWKJu8yVSrYA=" // as openssl enc -aes-256-cbc -md md5 -S 0001020304050607 makes it
	if got, ok := OpenTransport(transportKey, vector); !ok || got != "Passw0rd!x" {
		t.Errorf("OpenTransport = %q, %v", got, ok)
	}
	if got := sealTransport(transportKey, [8]byte{0, 1, 2, 3, 4, 5, 6, 7}, `"Passw0rd!x"`); got != vector {
		t.Errorf("the tests' own seal makes %s", got)
	}
	if !IsTransport(vector) || IsTransport("Passw0rd!x") || IsTransport("") || IsTransport("U2FsdGVkX") {
		t.Error("IsTransport does not go by the prefix")
	}
}

func TestOpenTransport(t *testing.T) {
	seal := func(text string) string { return sealTransport(transportKey, [8]byte{9, 8, 7, 6, 5, 4, 3, 2}, text) }
	block := func(tail ...byte) string {
		return sealBlocks(transportKey, [8]byte{}, append(bytes.Repeat([]byte{'"'}, aes.BlockSize-len(tail)), tail...))
	}
	for _, tc := range []struct {
		name, value, want string
		ok                bool
	}{
		{"empty password", seal(`""`), "", true},
		{"escapes", seal(`"a\"\\\u00e9\n"`), "a\"\\é\n", true},
		{"surrogate pair", seal(`"\ud83d\ude00"`), "😀", true},
		{"UTF-8", seal(`"пароль"`), "пароль", true},
		{"spaces stay", seal(`"  x  "`), "  x  ", true},
		{"one whole block", seal(`"12345678901234"`), "12345678901234", true},
		{"1,000 characters", seal(`"` + strings.Repeat("a", 1000) + `"`), strings.Repeat("a", 1000), true},

		{"another key", sealTransport("another key", [8]byte{}, `"Passw0rd!x"`), "", false},
		{"number", seal(`12345678`), "", false},
		{"null", seal(`null`), "", false},
		{"object", seal(`{"a":"b"}`), "", false},
		{"array", seal(`["a"]`), "", false},
		{"bare text", seal(`Passw0rd!x`), "", false},
		{"two strings", seal(`"a" "b"`), "", false},
		{"space before", seal(` "a"`), "", false},
		{"space after", seal(`"a" `), "", false},
		{"unclosed", seal(`"a`), "", false},
		{"a lone quote", seal(`"`), "", false},
		{"no text", seal(``), "", false},
		{"invalid UTF-8", seal("\"a\xff\""), "", false},
		{"lone surrogate", seal(`"\ud83d"`), "", false},
		{"raw newline", seal("\"a\n\""), "", false},
		{"padding 0", block(0), "", false},
		{"padding 17", block(17), "", false},
		{"padding not all alike", block(1, 2), "", false},
		{"only padding", block(bytes.Repeat([]byte{16}, 16)...), "", false},
		{"no salt", base64.StdEncoding.EncodeToString([]byte("Salted__")), "", false},
		{"no block", base64.StdEncoding.EncodeToString([]byte("Salted__12345678")), "", false},
		{"part of a block", base64.StdEncoding.EncodeToString([]byte("Salted__12345678123456789")), "", false},
		{"other magic", base64.StdEncoding.EncodeToString([]byte("salted__123456781234567890123456")), "", false},
		{"newline in base64", seal(`"a"`)[:20] + "\n" + seal(`"a"`)[20:], "", false},
		{"spare bits in base64", "U2FsdGVkX18AAQIDBAUGB0gpHTigvuVWWKJu8yVSrYB=", "", false},
		{"no base64 padding", strings.TrimRight(seal(`"a"`), "="), "", false},
		{"URL alphabet", "U2FsdGVkX1-_", "", false},
		{"prefix alone", transportPrefix, "", false},
		{"empty", "", "", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, ok := OpenTransport(transportKey, tc.value)
			if got != tc.want || ok != tc.ok {
				t.Errorf("OpenTransport(%q) = %q, %v; want %q, %v", tc.value, got, ok, tc.want, tc.ok)
			}
		})
	}
}

func FuzzOpenTransport(f *testing.F) {
	f.Add("U2FsdGVkX18AAQIDBAUGB0gpHTigvuVWWKJu8yVSrYA=", "Passw0rd!x")
	f.Add(transportPrefix, "")
	f.Add("U2FsdGVkX18xMjM0NTY3OA==", "\xff")
	f.Add("U2FsdGVkX18AAQIDBAUGB0gpHTigvuVWWKJu8yVSrYA", `a"b`)
	f.Add(sealTransport(transportKey, [8]byte{}, "null"), "a\\u0000")
	f.Fuzz(func(t *testing.T, value, text string) {
		if _, ok := OpenTransport(transportKey, value); ok {
			raw, err := base64.StdEncoding.DecodeString(value)
			if err != nil || base64.StdEncoding.EncodeToString(raw) != value {
				t.Errorf("OpenTransport accepts the second spelling %q", value)
			}
		}
		// Whatever was sealed opens to a string or not at all, never to a panic.
		OpenTransport(transportKey, sealTransport(transportKey, [8]byte{1}, text))
		quoted := `"` + strings.Map(func(r rune) rune {
			if r < ' ' || r == '"' || r == '\\' {
				return '.'
			}
			return r
		}, strings.ToValidUTF8(text, "")) + `"`
		got, ok := OpenTransport(transportKey, sealTransport(transportKey, [8]byte{1}, quoted))
		if !ok || got != quoted[1:len(quoted)-1] {
			t.Errorf("sealed %s, opened %q, %v", quoted, got, ok)
		}
	})
}
