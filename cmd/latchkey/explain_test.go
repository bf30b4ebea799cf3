package main

// What an operator is told of a session.

import (
	"os"
	"regexp"
	"testing"
)

// Every reason that the rules know is explained.
func TestEveryReasonIsExplained(t *testing.T) {
	source, err := os.ReadFile("../../internal/auth/sessions.go")
	if err != nil {
		t.Fatal(err)
	}
	reasons := regexp.MustCompile(`(?m)^\tReason\w+\s+= "([a-z_]+)"`).FindAllStringSubmatch(string(source), -1)
	if len(reasons) < 10 || len(reasons) != len(reasonWords) {
		t.Errorf("there are %d reasons, and words for %d", len(reasons), len(reasonWords))
	}
	for _, reason := range reasons {
		if reasonWords[reason[1]] == "" {
			t.Errorf("%s is not explained", reason[1])
		}
	}
}
