// Command lint is a tool for go vet. It reports a switch that forgets one of our own constants, such as a new verdict
// on a refresh token, and an error that is compared although it may be wrapped.
package main

import (
	"log"

	"github.com/nishanths/exhaustive/passes/exhaustive"
	"github.com/polyfloyd/go-errorlint/errorlint"
	"golang.org/x/tools/go/analysis/unitchecker"
)

func main() {
	for name, value := range map[string]string{
		"d":          "true", // a default case is an answer, too
		"typeignore": `^(reflect|golang\.org/x/net/html)\.`,
	} {
		if err := exhaustive.Analyzer.Flags.Set(name, value); err != nil {
			log.Fatal(err)
		}
	}
	unitchecker.Main(exhaustive.Analyzer, errorlint.NewAnalyzer())
}
