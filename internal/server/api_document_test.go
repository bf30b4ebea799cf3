package server_test

// docs/answers.csv promises a test for every answer of the API; this holds it to that.

import (
	"encoding/csv"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"

	"latchkey/api"
)

var update = flag.Bool("update", false, "write docs/answers.csv anew")

// everywhere are the tests that walk the whole document, with the status of each case.
var everywhere = map[string]string{"413": "TestBodies", "415": "TestBodies", "500": "TestServerError", "503": "TestUnavailable"}

// Every operation, status and code of openapi.yaml has a test with a case of that name, and docs/answers.csv lists them.
// That the test sees what its name says is for prove to check.
func TestEveryAnswerHasATest(t *testing.T) {
	const file = "../../docs/answers.csv"
	kept, err := os.ReadFile(file)
	if err != nil && !*update {
		t.Fatal(err)
	}
	want := listedAnswers(t)
	switch {
	case t.Failed():
	case *update:
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	case string(kept) != want:
		t.Errorf("docs/answers.csv is not the code's; `make answers-table` writes it (-code +document):\n%s", cmp.Diff(want, string(kept)))
	}
}

// listedAnswers has a line for each operation and test of it, with the answers that the test shows.
func listedAnswers(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	w := csv.NewWriter(&b)
	lines := [][]string{{"endpoint", "test", "answers"}}
	tests := literalsOfTests(t)
	all := operations()
	slices.SortStableFunc(all, func(a, b operation) int { return strings.Compare(a.path, b.path) })
	for _, op := range all {
		left := op.answers()
		for {
			test, answers := bestTest(tests, op.name, left)
			if len(answers) == 0 {
				break
			}
			lines = append(lines, []string{op.name, test, inOneLine(answers)})
			left = slices.DeleteFunc(left, func(answer string) bool { return slices.Contains(answers, answer) })
		}
		for _, answer := range left {
			if test := everywhere[answer[:3]]; !slices.ContainsFunc(tests[test], func(literal string) bool { return strings.HasPrefix(literal, answer[:3]) }) {
				t.Errorf("openapi.yaml has %s: %s, which no test shows", op.name, answer)
			}
		}
	}
	if err := w.WriteAll(lines); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// bestTest is the test of an operation that shows most of the answers given: it names the operation and has a case for each.
func bestTest(tests map[string][]string, operation string, answers []string) (best string, shown []string) {
	for _, test := range slices.Sorted(maps.Keys(tests)) {
		if !slices.Contains(tests[test], operation) {
			continue
		}
		var here []string
		for _, answer := range answers {
			if slices.ContainsFunc(tests[test], func(literal string) bool { return names(literal, answer) }) {
				here = append(here, answer)
			}
		}
		if len(here) > len(shown) {
			best, shown = test, here
		}
	}
	return best, shown
}

// names says whether a case, "401 invalid_credentials: wrong password", is of an answer.
func names(literal, answer string) bool {
	head, _, _ := strings.Cut(strings.TrimSuffix(literal, "/"), ":")
	return strings.ReplaceAll(head, "_", " ") == strings.ReplaceAll(answer, "_", " ")
}

// inOneLine says each status once: "200, 401 a b".
func inOneLine(answers []string) string {
	line, last := "", ""
	for _, answer := range answers {
		status, code, _ := strings.Cut(answer, " ")
		if status != last {
			line += ", " + status
		}
		if last = status; code != "" {
			line += " " + code
		}
	}
	return strings.TrimPrefix(line, ", ")
}

// answers are all that the document says an operation may answer: "200", "401 invalid_credentials".
func (op operation) answers() []string {
	var list []string
	for status, response := range op.Responses.Map() {
		if n, err := strconv.Atoi(status); err != nil || n < 400 {
			list = append(list, status)
			continue
		}
		for _, code := range codesOf(response.Value) {
			list = append(list, status+" "+code)
		}
	}
	slices.Sort(list)
	return list
}

// codesOf are the codes of a refusal, which stand in its body, or in a header beside a body of plain text.
func codesOf(r *openapi3.Response) (codes []string) {
	if media := r.Content["application/json"]; media != nil {
		codes = append(enumOf(media.Schema, "code"), enumOf(media.Schema, "error")...)
	}
	if header := r.Headers[api.CodeHeader]; header != nil {
		for _, code := range header.Value.Schema.Value.Enum {
			codes = append(codes, fmt.Sprint(code))
		}
	}
	return codes
}

func enumOf(s *openapi3.SchemaRef, property string) []string {
	var out []string
	if p := s.Value.Properties[property]; p != nil {
		for _, v := range p.Value.Enum {
			out = append(out, fmt.Sprint(v))
		}
	}
	for _, part := range s.Value.AllOf {
		out = append(out, enumOf(part, property)...)
	}
	return out
}

// literalsOfTests maps the tests of the API to the strings in them, the names of their cases among
// those.
func literalsOfTests(t *testing.T) map[string][]string {
	t.Helper()
	files, err := filepath.Glob("api_*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string][]string{}
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range parsed.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok || !strings.HasPrefix(f.Name.Name, "Test") {
				continue
			}
			ast.Inspect(f, func(n ast.Node) bool {
				if literal, ok := n.(*ast.BasicLit); ok && literal.Kind == token.STRING {
					text, _ := strconv.Unquote(literal.Value)
					tests[f.Name.Name] = append(tests[f.Name.Name], text)
				}
				return true
			})
		}
	}
	return tests
}
