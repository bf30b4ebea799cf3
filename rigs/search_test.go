package rigs

// Looking for secrets in raw bytes, in every spelling in which one could hide.

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// search finds many byte strings in one pass.
type search struct {
	first   [1 << 16]bool // the first two bytes of some needle
	needles map[uint64][]needle
}

type needle struct {
	what string
	form string
	text []byte
}

const shortest = 8 // bytes of a needle

// add looks for a secret as it is, in hex, and in base64 wherever it may begin in what was encoded.
func (s *search) add(what string, secret []byte) {
	s.put(what, "as it is", secret)
	s.put(what, "in hex", []byte(hex.EncodeToString(secret)))
	s.put(what, "in capital hex", []byte(strings.ToUpper(hex.EncodeToString(secret))))
	for _, alphabet := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for before := range 3 {
			text := alphabet.EncodeToString(append(make([]byte, before), secret...))
			// Without the characters that hold bits of what stands before and after.
			text = text[(before*8+5)/6 : (before+len(secret))*8/6]
			s.put(what, fmt.Sprintf("in base64, after %d bytes", before), []byte(text))
		}
	}
}

// addToken looks for a token's text, and for the bytes of its last part: its signature, MAC or secret.
func (s *search) addToken(what, token string) {
	s.add(what, []byte(token))
	last := token[strings.LastIndexByte(token, '.')+1:]
	s.add(what+", last part", []byte(last))
	raw, err := base64.RawURLEncoding.DecodeString(last)
	if err != nil {
		panic(fmt.Errorf("%s is not base64url at its end: %w", what, err))
	}
	s.add(what+", last part decoded", raw)
}

func (s *search) put(what, form string, text []byte) {
	if len(text) < shortest {
		panic(what + " is too short to look for")
	}
	if s.needles == nil {
		s.needles = map[uint64][]needle{}
	}
	s.first[binary.BigEndian.Uint16(text)] = true
	key := binary.BigEndian.Uint64(text)
	s.needles[key] = append(s.needles[key], needle{what, form, text})
}

// in returns what was found, each once. It shares nothing, and the race detector would make it ten times
// slower.
//
//go:norace
func (s *search) in(hay []byte) []string {
	seen := map[string]bool{}
	var found []string
	for i := 0; i+shortest <= len(hay); i++ {
		if !s.first[binary.BigEndian.Uint16(hay[i:])] {
			continue
		}
		for _, n := range s.needles[binary.BigEndian.Uint64(hay[i:])] {
			if name := n.what + " " + n.form; bytes.HasPrefix(hay[i:], n.text) && !seen[name] {
				seen[name] = true
				found = append(found, name)
			}
		}
	}
	return found
}

// A search that finds nothing proves nothing unless it finds what is there.
func TestSearchFinds(t *testing.T) {
	t.Parallel()
	secret := make([]byte, 32)
	for i := range secret {
		secret[i] = byte(rand.IntN(256))
	}
	s := new(search)
	s.add("the secret", secret)
	s.addToken("a token", "header.claims."+base64.RawURLEncoding.EncodeToString(append([]byte("mac of a token: "), secret[:8]...)))
	if found := s.in(bytes.Repeat([]byte("nothing to see here. "), 1000)); found != nil {
		t.Errorf("found %q where nothing is", found)
	}
	for before := range 7 {
		plain := append(append(bytes.Repeat([]byte("x"), before), secret...), "and more after it"...)
		for name, hay := range map[string][]byte{
			"plain":      plain,
			"hex":        []byte("__" + hex.EncodeToString(plain) + "__"),
			"HEX":        []byte(strings.ToUpper(hex.EncodeToString(plain))),
			"base64":     []byte("{" + base64.StdEncoding.EncodeToString(plain) + "}"),
			"base64url":  []byte(base64.RawURLEncoding.EncodeToString(plain)),
			"at the end": plain[:before+len(secret)],
		} {
			if s.in(hay) == nil {
				t.Errorf("%s, %d bytes in: not found", name, before)
			}
		}
	}
	if s.in([]byte("mac of a token: "+string(secret[:8]))) == nil {
		t.Error("the decoded end of a token: not found")
	}
}
