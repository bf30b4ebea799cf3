package password

// How good an accepted password is, for a meter beside a form.

// Strength estimates a password that a Policy accepts: weak, fair, good or strong, by how many characters are
// its own. NIST SP 800-63B-4 §3.1.1.2 makes length what counts, and Appendix A finds that asking for kinds of
// characters makes passwords no better, so no kind counts for more than another. A character that repeats
// the two before, or goes on counting from them (aaa, 123, cba), adds nothing, and no more than twice as many
// count as there are different ones. It is an estimate and no measure: it knows no dictionary but the
// policy's, and refuses nothing.
func Strength(pw Plaintext) string {
	switch own := ownCharacters(fold(string(pw))); {
	case own < 10:
		return "weak"
	case own < 15: // what NIST asks for where the password is the only factor
		return "fair"
	case own < 20:
		return "good"
	}
	return "strong"
}

func ownCharacters(text string) int {
	var last, step rune
	count, different := 0, map[rune]bool{}
	for _, r := range text {
		if r-last != step || step < -1 || step > 1 {
			count++
		}
		different[r] = true
		last, step = r, r-last
	}
	return min(count, 2*len(different))
}
