// Package studio is what CREDEBL Studio, the existing web client of this API, does in its own way: how it wraps
// passwords and ids for transport, and the cookie in which its server keeps who is signed in. Only auth and
// clients call it; when that client is gone, so is this package.
package studio

// Passwords as CREDEBL Studio sends them when it shares a key with the server: CryptoJS's
// AES with a pass phrase. It adds nothing to TLS, and is there so that that client keeps working.

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/md5"
	"encoding/base64"
	"net/url"
	"strings"

	"github.com/go-json-experiment/json"
)

const (
	transportPrefix = "U2FsdGVkX1" // base64 of "Salted__", as far as it is the same for every salt
	saltedMagic     = "Salted__"
	saltLength      = 8
)

// OpenTransport decrypts base64("Salted__" ‖ salt ‖ AES-256-CBC(JSON string)). Not ok takes the very
// path of a wrong password: an answer of its own would be a padding oracle.
func OpenTransport(key, value string) (plain string, ok bool) {
	sealed, ok := bytes.CutPrefix(decodeBase64(value), []byte(saltedMagic))
	if !ok || len(sealed) < saltLength+aes.BlockSize || (len(sealed)-saltLength)%aes.BlockSize != 0 {
		return "", false
	}
	salt, text := sealed[:saltLength], sealed[saltLength:]
	aesKey, iv := bytesToKey(key, salt)
	block, err := aes.NewCipher(aesKey)
	if err != nil {
		return "", false
	}
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(text, text)
	text, ok = cutPadding(text)
	if !ok {
		return "", false
	}
	return parseJSONString(text)
}

// OpenParameter reads a value of a query that may be wrapped for transport; key is empty where nothing is. That client may
// leave it unescaped, where base64's plus sign is read as a space, or escape it twice.
func OpenParameter(key, raw string) (plain string) {
	if twice, err := url.PathUnescape(raw); err == nil {
		raw = twice
	}
	raw = strings.ReplaceAll(raw, " ", "+")
	if key == "" || !IsTransport(raw) {
		return raw
	}
	plain, _ = OpenTransport(key, raw)
	return plain
}

// IsTransport reports whether value looks like what OpenTransport opens.
func IsTransport(value string) bool { return strings.HasPrefix(value, transportPrefix) }

// decodeBase64 returns nil for all but the one spelling: Strict still lets CR and LF through.
func decodeBase64(s string) []byte {
	raw, err := base64.StdEncoding.Strict().DecodeString(s)
	if err != nil || strings.ContainsAny(s, "\r\n") {
		return nil
	}
	return raw
}

// bytesToKey is OpenSSL's EVP_BytesToKey with MD5 and one round, which CryptoJS has built in. It is no
// protection against guessing the key text: the key must be long.
func bytesToKey(key string, salt []byte) (aesKey, iv []byte) {
	const keyLength = 32
	var made, last []byte
	for len(made) < keyLength+aes.BlockSize {
		sum := md5.Sum(bytes.Join([][]byte{last, []byte(key), salt}, nil))
		last = sum[:]
		made = append(made, last...)
	}
	return made[:keyLength], made[keyLength:]
}

// cutPadding undoes PKCS #7 (RFC 5652 §6.3).
func cutPadding(text []byte) ([]byte, bool) {
	n := int(text[len(text)-1])
	if n < 1 || n > aes.BlockSize {
		return nil, false
	}
	body, padding := text[:len(text)-n], text[len(text)-n:]
	return body, bytes.Count(padding, []byte{byte(n)}) == n
}

// parseJSONString takes what JSON.stringify makes of a string, and nothing else: no null, no space
// around it, no invalid UTF-8 or lone surrogate.
func parseJSONString(text []byte) (s string, ok bool) {
	if !bytes.HasPrefix(text, []byte{'"'}) || !bytes.HasSuffix(text, []byte{'"'}) {
		return "", false
	}
	if err := json.Unmarshal(text, &s); err != nil {
		return "", false
	}
	return s, true
}
