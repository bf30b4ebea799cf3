package password

// The stored form: Argon2id (RFC 9106) in a PHC string,
// $argon2id$v=19$m=<KiB>,t=<passes>,p=<lanes>$<salt>$<tag>, base64 without padding.

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

// Params is the cost of a new hash, which RFC 9106 §4 leaves to what the server can afford. Lanes are
// fixed at one, so that N permits of a Pool use N cores.
type Params struct {
	MemoryKiB uint32 // at least 8, at most 256 MiB
	Time      uint32 // passes over the memory, at least 1, at most 16
}

// Sizes of a new hash: those of both options that RFC 9106 §4 recommends. NIST SP 800-63B-4 §3.1.1.2
// asks for 32 bits of salt at least.
const (
	saltBytes = 16
	tagBytes  = 32
	lanes     = 1
)

// The ceiling. A stored hash names its own cost, so a hostile import could ask for all memory or for
// hours. RFC 9106 §4's second option (64 MiB, 3 passes, 4 lanes) is well below it.
const (
	maxMemoryKiB = 256 << 10
	maxPasses    = 16
	maxWorkKiB   = 1 << 20 // memory x passes: 27 times 19 MiB, 2 passes
	maxLanes     = 8
	minSalt      = 8  // bytes, as the reference implementation asks
	minTag       = 16 // bytes; RFC 9106 §4: 128 bits are enough for most uses
	maxField     = 64 // bytes of salt, and of tag
	maxPHC       = 256
)

var (
	errNotPHC = errors.New("not an Argon2id PHC string")
	errBounds = fmt.Errorf("Argon2id takes 8 to %d KiB of memory (8 or more a lane) and 1 to %d passes, "+
		"at most %d KiB times passes", maxMemoryKiB, maxPasses, maxWorkKiB)
)

// Validate returns an error for a cost that no stored hash may have: what Hash would write, Verify
// must accept.
func (p Params) Validate() error { return p.stored().check() }

// Hash returns pw's PHC string under a new random salt. It takes the time and memory of p: call it
// under a permit of a Pool. The only error is Validate's.
func (p Params) Hash(pw Plaintext) (string, error) {
	h := p.stored()
	if err := h.check(); err != nil {
		return "", fmt.Errorf("hash password: %w", err)
	}
	rand.Read(h.salt)
	h.tag = h.derive(pw)
	return h.String(), nil
}

// Verify reports whether phc was made from pw, comparing in constant time. It takes the time and
// memory that phc names, up to a ceiling: call it under a permit of a Pool. It returns an error, and
// does no work, for anything but one exact spelling and for a cost above the ceiling.
func Verify(phc string, pw Plaintext) (bool, error) {
	h, err := parse(phc)
	if err != nil {
		return false, fmt.Errorf("verify password: %w", err)
	}
	return subtle.ConstantTimeCompare(h.derive(pw), h.tag) == 1, nil
}

// Outdated reports whether phc was made otherwise than Hash would make it now: another scheme, cost
// or size. A cheaper setting counts too, since the memory bound of the Pool is counted in it.
func (p Params) Outdated(phc string) bool {
	h, err := parse(phc)
	if err != nil {
		return true
	}
	want := p.stored()
	return h.memory != want.memory || h.passes != want.passes || h.lanes != want.lanes ||
		len(h.salt) != len(want.salt) || len(h.tag) != len(want.tag)
}

// stored is a parsed PHC string.
type stored struct {
	memory, passes, lanes uint32
	salt, tag             []byte
}

func (p Params) stored() stored {
	return stored{
		memory: p.MemoryKiB, passes: p.Time, lanes: lanes,
		salt: make([]byte, saltBytes), tag: make([]byte, tagBytes),
	}
}

// parse accepts exactly what String writes: one hash has one spelling.
func parse(phc string) (stored, error) {
	if len(phc) > maxPHC {
		return stored{}, errNotPHC
	}
	var h stored
	fields := strings.Split(phc, "$")
	if len(fields) != 6 {
		return stored{}, errNotPHC
	}
	if _, err := fmt.Sscanf(fields[3], "m=%d,t=%d,p=%d", &h.memory, &h.passes, &h.lanes); err != nil {
		return stored{}, errNotPHC
	}
	var saltErr, tagErr error
	h.salt, saltErr = base64.RawStdEncoding.DecodeString(fields[4])
	h.tag, tagErr = base64.RawStdEncoding.DecodeString(fields[5])
	if saltErr != nil || tagErr != nil || h.String() != phc {
		return stored{}, errNotPHC
	}
	return h, h.check()
}

// check holds the cost within RFC 9106 §3.1's lower bounds and the ceiling.
func (h stored) check() error {
	switch {
	case h.lanes < 1 || h.lanes > maxLanes,
		h.passes < 1 || h.passes > maxPasses,
		h.memory < 8*h.lanes || h.memory > maxMemoryKiB,
		uint64(h.memory)*uint64(h.passes) > maxWorkKiB,
		len(h.salt) < minSalt || len(h.salt) > maxField,
		len(h.tag) < minTag || len(h.tag) > maxField:
		return errBounds
	}
	return nil
}

func (h stored) derive(pw Plaintext) []byte {
	return argon2.IDKey([]byte(pw), h.salt, h.passes, h.memory, uint8(h.lanes), uint32(len(h.tag)))
}

// decoy fills salt and tag with what no known password gives.
func (h stored) decoy() string {
	rand.Read(h.salt)
	rand.Read(h.tag)
	return h.String()
}

func (h stored) String() string { return h.under(h.cost()) }

func (h stored) cost() Cost {
	return Cost(fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d", argon2.Version, h.memory, h.passes, h.lanes))
}

// under writes salt and tag behind a cost.
func (h stored) under(c Cost) string {
	return string(c) + "$" + base64.RawStdEncoding.EncodeToString(h.salt) + "$" + base64.RawStdEncoding.EncodeToString(h.tag)
}
