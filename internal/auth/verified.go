package auth

// A memory of access tokens whose signature was found right, since verifying one again costs more than
// everything else of a request. It only says yes, it is keyed by the whole token, it forgets when the
// key ring changes, and it never stands in for the look at the session's row: a sign-out holds at once.

import (
	"crypto/sha256"
	"sync"
	"time"

	"latchkey/internal/token"
)

// maxVerified is how many tokens each of the two generations holds: some 20 MB in all.
const maxVerified = 16 << 10

// verified keeps two generations: when the young one is full it becomes the old one, and what was old
// is forgotten. A token that is used stays.
type verified struct {
	mu         sync.Mutex
	ring       *token.KeyRing // what the tokens were verified with
	young, old map[[sha256.Size]byte]token.Access
}

// get returns a token verified with this very ring that has not expired.
func (v *verified) get(raw string, ring *token.KeyRing, now time.Time) (token.Access, bool) {
	key := sha256.Sum256([]byte(raw))
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.ring != ring {
		return token.Access{}, false
	}
	a, ok := v.young[key]
	if !ok {
		if a, ok = v.old[key]; ok {
			v.keep(key, a)
		}
	}
	return a, ok && now.Before(a.ExpiresAt)
}

// put remembers a token that was just verified with the ring.
func (v *verified) put(raw string, ring *token.KeyRing, a token.Access) {
	key := sha256.Sum256([]byte(raw))
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.ring != ring {
		v.ring, v.young, v.old = ring, nil, nil
	}
	v.keep(key, a)
}

func (v *verified) keep(key [sha256.Size]byte, a token.Access) {
	if v.young == nil || len(v.young) >= maxVerified {
		v.old, v.young = v.young, make(map[[sha256.Size]byte]token.Access, maxVerified/4)
	}
	v.young[key] = a
}
