package auth

// What the tests outside the package need of its inside.

import (
	"latchkey/internal/password"
)

// CommonCosts are the costs of hashes that every evaluation computes.
func CommonCosts(s *Service) map[password.Cost]bool {
	costs := map[password.Cost]bool{}
	for cost := range s.costs.Decoys() {
		costs[cost] = true
	}
	return costs
}

// CallerOf and OwnerAsCaller are how an attempt, and who has shown more of an account than its email, wait for a permit.
var (
	CallerOf      = callerOf
	OwnerAsCaller = ownerAsCaller
)
