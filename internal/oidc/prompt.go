package oidc

// prompt: what an application asks to be shown to the person.

import (
	"slices"
	"strings"
)

// Prompt is a set of the values of prompt: OpenID Connect Core §3.1.2.1, Initiating User Registration via OpenID Connect
// §4.1. The zero one asks for nothing in particular.
type Prompt uint8

// The members of the set. PromptNone is never beside another.
const (
	PromptNone Prompt = 1 << iota
	PromptLogin
	PromptCreate
	PromptConsent
	PromptSelectAccount
)

// prompts in the order of their bits.
var prompts = [...]string{"none", "login", "create", "consent", "select_account"}

// Prompts returns every value that is taken, for discovery's prompt_values_supported.
func Prompts() []string { return slices.Clone(prompts[:]) }

// Has says whether one is in the set.
func (p Prompt) Has(one Prompt) bool { return p&one != 0 }

// String is the set as a request spells it.
func (p Prompt) String() string {
	var in []string
	for i, name := range prompts {
		if p.Has(1 << i) {
			in = append(in, name)
		}
	}
	return strings.Join(in, " ")
}

// readPrompt refuses a value that is not known, as Initiating User Registration §4.1 has it, and none beside another.
func readPrompt(text string) (p Prompt, err error) {
	for _, word := range words(text) {
		one := promptOf(word)
		if one == 0 {
			return 0, invalid("Send prompt with values of " + strings.Join(prompts[:], ", ") + " only.")
		}
		p |= one
	}
	if p.Has(PromptNone) && p != PromptNone {
		return 0, invalid("Send prompt=none alone.")
	}
	return p, nil
}

func promptOf(word string) Prompt {
	for i, name := range prompts {
		if name == word {
			return 1 << i
		}
	}
	return 0
}
