package node

// Settings as nodes compare them: a line each, of the name and a hash of the value.

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// Setting is one that every node must have alike. Value must hold no secret: its hash would confirm a guess.
type Setting struct {
	Name  string
	Value any
}

func hashed(settings []Setting) string {
	lines := make([]string, len(settings))
	for i, s := range settings {
		sum := sha256.Sum256(fmt.Appendf(nil, "%s %v", s.Name, s.Value))
		lines[i] = s.Name + " " + hex.EncodeToString(sum[:8])
	}
	return strings.Join(lines, "\n")
}

// differing names the settings of which both have one, and not the same: a release may know others.
func differing(mine, theirs string) (names []string) {
	have := strings.Split(mine, "\n")
	for line := range strings.SplitSeq(theirs, "\n") {
		name, _, _ := strings.Cut(line, " ")
		known := slices.ContainsFunc(have, func(mine string) bool { return strings.HasPrefix(mine, name+" ") })
		if known && !slices.Contains(have, line) {
			names = append(names, name)
		}
	}
	return names
}
