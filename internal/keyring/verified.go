package keyring

// A memory of access tokens whose signature was found right, since verifying one again costs more than everything
// else of a request. It only says yes, it is keyed by the whole token, it is a ring's own, and it never stands in for
// the token's times or its session: a sign-out holds at once.

import (
	"crypto/sha256"
	"sync"

	"latchkey/internal/token"
)

// maxVerified is how many tokens each of the two generations holds: some 20 MB in all.
const maxVerified = 16 << 10

// verified keeps two generations: when the young one is full it becomes the old one, and what was old is forgotten. A
// token that is used stays.
type verified struct {
	mu         sync.Mutex
	young, old map[[sha256.Size]byte]token.Access
}

// get returns what a token says that was found right. It does not ask whether it still is.
func (v *verified) get(raw string) (token.Access, bool) {
	key := sha256.Sum256([]byte(raw))
	v.mu.Lock()
	defer v.mu.Unlock()
	a, ok := v.young[key]
	if !ok {
		if a, ok = v.old[key]; ok {
			v.keep(key, a)
		}
	}
	return a, ok
}

// put remembers a token that was just found right.
func (v *verified) put(raw string, a token.Access) {
	key := sha256.Sum256([]byte(raw))
	v.mu.Lock()
	defer v.mu.Unlock()
	v.keep(key, a)
}

func (v *verified) keep(key [sha256.Size]byte, a token.Access) {
	if v.young == nil || len(v.young) >= maxVerified {
		v.old, v.young = v.young, make(map[[sha256.Size]byte]token.Access, maxVerified/4)
	}
	v.young[key] = a
}
