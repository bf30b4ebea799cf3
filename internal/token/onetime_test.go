package token

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// Both were computed by a program in another language: a link mailed before an upgrade works after it.
const (
	knownOneTime     = "BH2r7A55nwnbq2xyXy5Xt3wAIohaE5KUMwSZYd1zxbk"
	knownOneTimeHash = "674ad3a502a4e1e7c97d6be971257f109df42e6d378a2770f67fe8b63bf8f6a3"
)

func TestOneTimeIsStable(t *testing.T) {
	raw, err := ring(t, testKey).OneTime(testKeyID, "reset", "request-1")
	if err != nil || raw != knownOneTime {
		t.Errorf("OneTime = %s, %v; want %s", raw, err, knownOneTime)
	}
	hash, ok := OneTimeHash("reset", knownOneTime)
	if got := hex.EncodeToString(hash); !ok || got != knownOneTimeHash {
		t.Errorf("OneTimeHash = %s, %t; want %s", got, ok, knownOneTimeHash)
	}
}

func TestOneTimeTellsApart(t *testing.T) {
	m := ring(t, testKey+","+otherKey)
	tokens, hashes := map[string]string{}, map[string]string{}
	for _, tc := range [][3]string{
		{testKeyID, "reset", "request-1"},
		{testKeyID, "reset", "request-2"},
		{testKeyID, "verify", "request-1"},
		{testKeyID, "resetr", "equest-1"},
		{otherKeyID, "reset", "request-1"},
	} {
		name := fmt.Sprint(tc)
		raw, err := m.OneTime(tc[0], tc[1], tc[2])
		if err != nil || tokens[raw] != "" {
			t.Errorf("%s: the token of %s, %v", name, tokens[raw], err)
		}
		hash, ok := OneTimeHash(tc[1], raw)
		if !ok || hashes[string(hash)] != "" {
			t.Errorf("%s: the hash of %s, %t", name, hashes[string(hash)], ok)
		}
		tokens[raw], hashes[string(hash)] = name, name
	}
	if _, err := ring(t, testKey).OneTime(otherKeyID, "reset", "request-1"); !errors.Is(err, ErrUnknownMasterKey) {
		t.Errorf("a master key not in the ring: %v", err)
	}
}

// I7: a token presented for another purpose has another hash, so nothing is found by it.
func TestOneTimeHashIsBoundToPurpose(t *testing.T) {
	for _, purpose := range []string{"", "verify", "rese", "reset "} {
		hash, ok := OneTimeHash(purpose, knownOneTime)
		if !ok || hex.EncodeToString(hash) == knownOneTimeHash {
			t.Errorf("purpose %q: %x, %t", purpose, hash, ok)
		}
	}
}

func TestOneTimeHashTakesOneSpelling(t *testing.T) {
	for name, raw := range map[string]string{
		"nothing":           "",
		"a digit short":     knownOneTime[:42],
		"a digit long":      knownOneTime + "A",
		"31 bytes":          encoding.EncodeToString(make([]byte, 31)),
		"33 bytes":          encoding.EncodeToString(make([]byte, 33)),
		"padding":           knownOneTime + "=",
		"space before":      " " + knownOneTime,
		"newline after":     knownOneTime + "\n",
		"newline inside":    knownOneTime[:9] + "\r\n" + knownOneTime[9:],
		"spare bit":         flipSpareBit(knownOneTime),
		"standard alphabet": strings.Repeat("+", 42) + "8",
		"hexadecimal":       strings.Repeat("0f", 32),
		"not ASCII":         knownOneTime[:42] + "ｋ",
		"a megabyte":        strings.Repeat("A", 1<<20),
	} {
		if hash, ok := OneTimeHash("reset", raw); ok || hash != nil {
			t.Errorf("%s: %x, %t", name, hash, ok)
		}
	}
}
