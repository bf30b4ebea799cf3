package oidc

// How an answer travels to the application: in the query of its redirect URI, or in a form that the browser posts there.

import (
	"net/url"
	"strings"
)

// Answer is a redirect to URL, or, where Action is set, a form to be posted there. It holds the code: it belongs into no
// log.
type Answer struct {
	URL    string
	Action string
	Form   []Field // in order
}

// Field is a parameter of an answer.
type Field struct{ Name, Value string }

// Grant hands a code to the application: RFC 6749 §4.1.2.
func (r Request) Grant(code, issuer string) Answer {
	return r.answer([]Field{{"code", code}}, issuer)
}

// Refuse tells the application why there is no code: RFC 6749 §4.1.2.1. The description is a sentence for developers,
// or empty; characters of it that an answer may not have become question marks.
func (r Request) Refuse(code, description, issuer string) Answer {
	fields := []Field{{"error", code}}
	if description != "" {
		fields = append(fields, Field{"error_description", strings.Map(describing, description)})
	}
	return r.answer(fields, issuer)
}

// describing: error_description has printable ASCII without quotation marks and backslashes (RFC 6749 §4.1.2.1).
func describing(r rune) rune {
	if r < ' ' || r > '~' || r == '"' || r == '\\' {
		return '?'
	}
	return r
}

// answer adds what every answer says: state, if there was one, and who answers, so that an application of several
// servers cannot be told another's code (RFC 9207 §2). A request without a redirect URI has no answer.
func (r Request) answer(fields []Field, issuer string) Answer {
	if r.RedirectURI == "" {
		return Answer{}
	}
	if r.State != "" {
		fields = append(fields, Field{"state", r.State})
	}
	fields = append(fields, Field{"iss", issuer})
	if r.ResponseMode == ModeFormPost {
		return Answer{Action: r.RedirectURI, Form: fields}
	}
	return Answer{URL: withQuery(r.RedirectURI, fields)}
}

// withQuery appends fields to a URI. What is registered stays as it is, its own query too (RFC 6749 §3.1.2).
func withQuery(uri string, fields []Field) string {
	separator := "?"
	if strings.Contains(uri, "?") {
		separator = "&"
	}
	for _, field := range fields {
		uri += separator + escape(field.Name) + "=" + escape(field.Value)
		separator = "&"
	}
	return uri
}

// WithState appends the state that an app sent along, if it did, to a URI that it registered.
func WithState(uri, state string) string {
	if state == "" {
		return uri
	}
	return withQuery(uri, []Field{{"state", state}})
}

// escape spells a space so that readers of URLs and readers of forms both find one: what opens a custom scheme is often
// only the former.
func escape(text string) string {
	return strings.ReplaceAll(url.QueryEscape(text), "+", "%20")
}
