package oidc

// PKCE, RFC 7636: whoever brings a code proves that it was they who asked for it.

import (
	"crypto/sha256"
	"encoding/base64"
	"strings"

	"latchkey/internal/address"
)

// methodS256 is the one code_challenge_method that is taken: of plain, whoever reads the request has the verifier.
const methodS256 = "S256"

// encoding is base64url without padding and without spare bits, RFC 7515 §2.
var encoding = base64.RawURLEncoding.Strict()

// decode accepts exactly what encoding writes: even a strict decoder of the standard library skips CR and LF.
func decode(text string) ([]byte, bool) {
	if strings.ContainsAny(text, "\r\n") {
		return nil, false
	}
	raw, err := encoding.DecodeString(text)
	return raw, err == nil
}

// ChallengeOf returns the code_challenge of a verifier by S256: RFC 7636 §4.2. A code is proven if this is the challenge
// that its request brought.
func ChallengeOf(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return encoding.EncodeToString(sum[:])
}

// ValidVerifier says whether a verifier has the form of RFC 7636 §4.1: 43 to 128 unreserved characters.
func ValidVerifier(verifier string) bool {
	return len(verifier) >= 43 && len(verifier) <= 128 && !strings.ContainsFunc(verifier, address.NotUnreserved)
}

// ValidChallenge says whether a challenge is that of any verifier at all by S256: 32 bytes in base64url, in their one
// spelling.
func ValidChallenge(challenge string) bool {
	sum, ok := decode(challenge)
	return ok && len(sum) == sha256.Size
}
