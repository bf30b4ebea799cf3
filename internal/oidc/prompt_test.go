package oidc

import (
	"strings"
	"testing"
)

// Each value has its own bit, in the order of their names.
func TestPromptsReadAsTheyAreWritten(t *testing.T) {
	want := []Prompt{PromptNone, PromptLogin, PromptCreate, PromptConsent, PromptSelectAccount}
	if len(Prompts()) != len(want) {
		t.Fatalf("the values are %v", Prompts())
	}
	for i, name := range Prompts() {
		got, err := readPrompt(name)
		if err != nil || got != want[i] || got.String() != name {
			t.Errorf("%s is read as %b (%s), %v", name, got, got, err)
		}
		for j, other := range want {
			if got.Has(other) != (i == j) {
				t.Errorf("%s has %s: %v", name, other, got.Has(other))
			}
		}
	}
	all := strings.Join(Prompts()[1:], " ")
	if got, err := readPrompt(" " + all + "  login "); err != nil || got.String() != all {
		t.Errorf("all of them are read as %s, %v", got, err)
	}
	if got, err := readPrompt(""); err != nil || got != 0 || got.String() != "" {
		t.Errorf("nothing is read as %s, %v", got, err)
	}
	if got, err := readPrompt("none none"); err != nil || got != PromptNone {
		t.Errorf("none, said twice, is read as %s, %v", got, err)
	}
}
