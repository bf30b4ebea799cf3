package password

// What a stored hash costs to compute. Accounts whose hashes cost alike cannot be told apart by time.

import (
	"fmt"
	"strings"
)

// Cost is the scheme and the parameters of a stored hash: the beginning of its PHC string, up to the salt.
// Two hashes of one Cost take the same time and memory.
type Cost string

// Cost returns what a new hash costs.
func (p Params) Cost() Cost { return p.stored().cost() }

// CostOf returns what it takes to verify phc, or a PHC string that begins like it. It returns an error for
// what Verify refuses.
func CostOf(phc string) (Cost, error) {
	fields := strings.Split(phc, "$")
	if len(fields) < 5 {
		return "", fmt.Errorf("read cost: %w", errNotPHC)
	}
	c := Cost(strings.Join(fields[:4], "$"))
	if _, err := c.Decoy(); err != nil {
		return "", err
	}
	return c, nil
}

// Decoy returns a PHC string of that cost which no known password matches: salt and tag are random.
// Verifying against it gives an unknown account the work of a known one.
func (c Cost) Decoy() (string, error) {
	h, err := parse(stored{salt: make([]byte, saltBytes), tag: make([]byte, tagBytes)}.under(c))
	if err != nil {
		return "", fmt.Errorf("make decoy: %w", err)
	}
	return h.decoy(), nil
}

// Decoy is that of the cost of a new hash.
func (p Params) Decoy() string { return p.stored().decoy() }
