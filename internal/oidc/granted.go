package oidc

// Lists of scopes, as rows and tokens hold them: space-delimited (RFC 6749 §3.3).

import (
	"slices"
	"strings"

	"latchkey/internal/clients"
)

// Join is the list of scopes; Split is the other direction.
func Join(scopes []string) string { return strings.Join(scopes, " ") }

// Split returns the scopes of a list.
func Split(list string) []string { return strings.Fields(list) }

// Has says whether a list has a scope.
func Has(list, scope string) bool { return slices.Contains(Split(list), scope) }

// Common is what of a list is among others, in the list's order.
func Common(list string, others []string) string {
	return Join(slices.DeleteFunc(Split(list), func(scope string) bool { return !slices.Contains(others, scope) }))
}

// Union is the scopes of both, each once.
func Union(a, b []string) []string {
	both := slices.Clone(a)
	for _, scope := range b {
		if !slices.Contains(both, scope) {
			both = append(both, scope)
		}
	}
	return both
}

// HasResource says whether a client's tokens may be for a resource (RFC 8707).
func HasResource(c clients.Client, resource string) bool {
	return slices.Contains(c.Audiences, resource)
}
