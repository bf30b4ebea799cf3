package token

// The ring of master keys: everything else that is secret is derived from one of them, by HKDF with a label per use.

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/crypto/chacha20poly1305"
)

const masterKeySize = 32

// MasterKeys is a ring of one or two 32-byte keys: the first makes, both open. It never prints them.
type MasterKeys struct {
	redacted
	keys []masterKey
}

// masterKey keeps the key only as HKDF's pseudorandom key (RFC 5869 §2.2), from which every use expands its own.
type masterKey struct {
	id  string
	prk []byte
}

// NewMasterKey returns a new random key in the form that ParseMasterKeys reads.
func NewMasterKey() string {
	key := make([]byte, masterKeySize)
	_, _ = rand.Read(key) // never fails: crypto/rand ends the process instead
	return base64.StdEncoding.EncodeToString(key)
}

// ParseMasterKeys reads one key, or two with a comma between for a rotation, each 32 bytes in padded standard base64
// (RFC 4648 §4); white space around a key is allowed. An error says what to write instead and never echoes the text.
func ParseMasterKeys(text string) (*MasterKeys, error) {
	fields := strings.Split(text, ",")
	if len(fields) > 2 {
		return nil, fmt.Errorf("parse master keys: %d keys given; write one, or two for a rotation: new,old", len(fields))
	}
	m := &MasterKeys{}
	for i, field := range fields {
		key, err := parseMasterKey(strings.TrimSpace(field))
		if err != nil {
			return nil, fmt.Errorf("parse master keys: key %d: %w", i+1, err)
		}
		if m.Has(key.id) {
			return nil, errors.New("parse master keys: both keys are the same; write the key once")
		}
		m.keys = append(m.keys, key)
	}
	return m, nil
}

func parseMasterKey(text string) (masterKey, error) {
	if text == "" {
		return masterKey{}, errors.New("it is empty; write 32 random bytes in base64 (openssl rand -base64 32)")
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || strings.ContainsAny(text, "\r\n") {
		return masterKey{}, errors.New("it is not base64; write 32 random bytes in base64 (openssl rand -base64 32)")
	}
	if len(raw) != masterKeySize {
		return masterKey{}, fmt.Errorf("it has %d bytes; write %d random bytes in base64 (openssl rand -base64 32)", len(raw), masterKeySize)
	}
	prk, err := hkdf.Extract(sha256.New, raw, nil)
	if err != nil {
		return masterKey{}, fmt.Errorf("extract key: %w", err)
	}
	id, err := hkdf.Expand(sha256.New, prk, "id v1", keyIDBytes)
	if err != nil {
		return masterKey{}, fmt.Errorf("derive key id: %w", err)
	}
	return masterKey{id: hex.EncodeToString(id), prk: prk}, nil
}

const keyIDBytes = 8

// isKeyID tells whether s has the form of a master key's id: 16 lower-case hexadecimal digits.
func isKeyID(s string) bool {
	return len(s) == 2*keyIDBytes && strings.Trim(s, "0123456789abcdef") == ""
}

// Current returns the id of the key that makes. An id tells nothing about its key.
func (m *MasterKeys) Current() string { return m.keys[0].id }

// IDs returns the ids of all keys of the ring, the one that makes first.
func (m *MasterKeys) IDs() []string {
	ids := make([]string, len(m.keys))
	for i, key := range m.keys {
		ids[i] = key.id
	}
	return ids
}

// Has tells whether the ring holds the key with that id.
func (m *MasterKeys) Has(id string) bool {
	return slices.ContainsFunc(m.keys, func(key masterKey) bool { return key.id == id })
}

// MAC returns the HMAC-SHA256 (RFC 2104) of the parts under a key that serves that label alone. Each part carries its
// length, so ("ab", "c") and ("a", "bc") differ. The error is ErrUnknownMasterKey. Compare with hmac.Equal.
func (m *MasterKeys) MAC(id, label string, parts ...[]byte) ([]byte, error) {
	key, err := m.derive(id, "mac "+label)
	if err != nil {
		return nil, fmt.Errorf("compute mac: %w", err)
	}
	return sum(key, parts), nil
}

func sum(key []byte, parts [][]byte) []byte {
	mac := hmac.New(sha256.New, key)
	for _, part := range parts {
		_, _ = mac.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
		_, _ = mac.Write(part)
	}
	return mac.Sum(nil)
}

// Seal encrypts and authenticates plaintext under the current key, and authenticates aad (additional data) with it: what says where
// the sealed bytes belong (a row's id), so that they open nowhere else. The id must be stored beside them.
//
// XChaCha20-Poly1305, since its 24-byte nonce may be random for any number of messages; the 12 bytes of AES-GCM may
// not past 2^32 (NIST SP 800-38D §8.3).
func (m *MasterKeys) Seal(label string, plaintext, aad []byte) (id string, sealed []byte, err error) {
	id = m.Current()
	key, err := m.derive(id, "seal "+label)
	if err != nil {
		return "", nil, fmt.Errorf("seal: %w", err)
	}
	aead, err := chacha20poly1305.NewX(key)
	if err != nil {
		return "", nil, fmt.Errorf("seal: %w", err)
	}
	nonce := make([]byte, aead.NonceSize(), aead.NonceSize()+len(plaintext)+aead.Overhead())
	_, _ = rand.Read(nonce)
	return id, aead.Seal(nonce, nonce, plaintext, aad), nil
}

// Open returns what Seal was given, for the same label and aad. It answers ErrUnknownMasterKey when the ring does not have
// the key, ErrMalformed when the bytes, the label or aad are not those of Seal.
func (m *MasterKeys) Open(id, label string, sealed, aad []byte) ([]byte, error) {
	key, err := m.derive(id, "seal "+label)
	if err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	aead, err := chacha20poly1305.NewX(key)
	if err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	if len(sealed) < aead.NonceSize() {
		return nil, fmt.Errorf("open: %w", ErrMalformed)
	}
	nonce, ciphertext := sealed[:aead.NonceSize()], sealed[aead.NonceSize():]
	plaintext, err := aead.Open(nil, nonce, ciphertext, aad)
	if err != nil {
		return nil, fmt.Errorf("open: %w", ErrMalformed)
	}
	return plaintext, nil
}

// derive expands the key for one use (RFC 5869 §2.3). The uses are "id v1", "refresh v1" ‖ session id, "mac " ‖ label
// and "seal " ‖ label: no two begin alike, so whatever a caller's label or a session's id is, no key serves two uses.
func (m *MasterKeys) derive(id, use string) ([]byte, error) {
	for _, key := range m.keys {
		if key.id == id {
			return hkdf.Expand(sha256.New, key.prk, use, sha256.Size)
		}
	}
	return nil, ErrUnknownMasterKey
}
