package apidocs

// The operations of the API, read from the OpenAPI document, each with its examples. An example is a file
// that examples/examples_test.go runs against a server; its answer is compared with the one shown here.

import (
	"embed"
	"fmt"
	"regexp"
	"strings"

	"latchkey/api"
)

//go:embed examples/*.sh examples/*.js examples/*_example_test.go examples/*.txt
var calls embed.FS

// Operation is one method of one path.
type Operation struct {
	ID, Method, Path, Tag, Summary string

	Curl, JavaScript string
	Answer           string // what both print, laid out; … stands for what differs each time
	Go               string // ends with a comment of what it prints
}

// line finds what Operations needs in api/openapi.yaml, whose form is ours: a path, a method, a field.
var line = regexp.MustCompile(`^(?:  (/\S*):|    (get|post|delete):|      (operationId|tags|summary): (.+))$`)

// Operations lists them in the order of the document.
func Operations() ([]Operation, error) {
	var list []Operation
	path := ""
	for text := range strings.Lines(string(api.OpenAPI())) {
		found := line.FindStringSubmatch(strings.TrimRight(text, "\n"))
		switch {
		case found == nil:
		case found[1] != "":
			path = found[1]
		case found[2] != "":
			list = append(list, Operation{Method: strings.ToUpper(found[2]), Path: path})
		default:
			list[len(list)-1].set(found[3], found[4])
		}
	}
	for i := range list {
		if err := list[i].read(); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func (o *Operation) set(field, value string) {
	switch field {
	case "operationId":
		o.ID = value
	case "tags":
		o.Tag = strings.Trim(value, "[]")
	case "summary":
		o.Summary = value
	}
}

// read gets the operation's examples.
func (o *Operation) read() error {
	for _, example := range []struct {
		ending string
		into   *string
	}{{".sh", &o.Curl}, {".js", &o.JavaScript}, {".txt", &o.Answer}, {"_example_test.go", &o.Go}} {
		text, err := calls.ReadFile("examples/" + o.ID + example.ending)
		if err != nil {
			return fmt.Errorf("read the example of %s: %w", o.ID, err)
		}
		*example.into = strings.TrimSpace(string(text))
	}
	_, o.Go, _ = strings.Cut(o.Go, "\n)\n\n") // without package and imports
	return nil
}
