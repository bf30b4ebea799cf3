package server_test

// docs/standards.md promises a test for every answer of the API; this holds it to that.

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

// tableRow is "| `POST /auth/signin` | 401 | `invalid_credentials` | `TestSignIn/401_invalid_credentials` |".
var tableRow = regexp.MustCompile("(?m)^\\| `([A-Z]+ /\\S*)` \\| (\\d{3}) \\| (?:`(\\w+)`)? ?\\| `(Test\\w+)(?:/(\\S+))?` \\|$")

// Every operation, status and code of openapi.yaml has a row, and every row a test of that name. That
// the test sees what its name says is for prove to check.
func TestEveryAnswerHasATest(t *testing.T) {
	text, err := os.ReadFile("../../docs/standards.md")
	if err != nil {
		t.Fatal(err)
	}
	tests := literalsOfTests(t)
	var promised []string
	for _, row := range tableRow.FindAllStringSubmatch(string(text), -1) {
		operation, answer, test, name := row[1], strings.TrimSpace(row[2]+" "+row[3]), row[4], row[5]
		promised = append(promised, operation+": "+answer)
		everywhere := slices.Contains([]string{"TestBodies", "TestUnavailable", "TestServerError"}, test) // they walk the whole document
		if spelt := strings.ReplaceAll(answer, " ", "_"); name != spelt && !(everywhere && strings.HasPrefix(name, row[2])) {
			t.Errorf("%s: %s is shown by %s/%s, which is named for something else", operation, answer, test, name)
		}
		named := slices.ContainsFunc(tests[test], func(literal string) bool {
			head, _, _ := strings.Cut(strings.TrimSuffix(literal, "/"), ":")
			return strings.ReplaceAll(head, " ", "_") == name
		})
		if !named || !everywhere && !slices.Contains(tests[test], operation) {
			t.Errorf("%s: %s is shown by %s/%s, which does not exist", operation, answer, test, name)
		}
	}
	for _, op := range operations() {
		for _, answer := range op.answers() {
			if !slices.Contains(promised, op.name+": "+answer) {
				t.Errorf("openapi.yaml has %s: %s, docs/standards.md has no row for it", op.name, answer)
			}
			promised = slices.DeleteFunc(promised, func(p string) bool { return p == op.name+": "+answer })
		}
	}
	for _, row := range promised {
		t.Errorf("docs/standards.md has %s, openapi.yaml does not", row)
	}
}

// answers are all that the document says an operation may answer: "200", "401 invalid_credentials".
func (op operation) answers() []string {
	var list []string
	for status, response := range op.Responses.Map() {
		if n, err := strconv.Atoi(status); err != nil || n < 400 {
			list = append(list, status)
			continue
		}
		schema := response.Value.Content["application/json"].Schema
		for _, code := range append(enumOf(schema, "code"), enumOf(schema, "error")...) {
			list = append(list, status+" "+code)
		}
	}
	slices.Sort(list)
	return list
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
