package pages

// What a page is drawn from, and the words its templates use.

import (
	"cmp"
	"html/template"
	"net/url"
	"slices"
	"strings"
	"time"

	"latchkey/internal/brand"
	"latchkey/internal/locale"
)

// View is one page for one person.
type View struct {
	Name    string // of the page: one of Names
	Printer locale.Printer
	Brand   brand.Brand
	Now     time.Time

	Problem     *Said           // what went wrong, above all else
	Note        *Said           // what went well
	FieldErrors map[string]Said // what is wrong with a field, by its name

	Values   map[string]string // what the form's fields hold, passwords never among them; on check_mail "email" is shown, so it was checked
	Carried  url.Values        // goes along from page to page: clientAlias, return_to and flow
	Hidden   []Hidden          // what the form of this page alone sends: of continue, consent, check_mail beside Carried, of sign_out and form_post instead
	Here     string            // path and query of this page, to come back to in another language; empty: it offers none
	SignedIn string            // the email address of the user who is signed in; empty: nobody. On continue and consent: whose press it is

	App    string       // shown name of the application that a sign-in is for; empty: none. Continue, consent, go_on and form_post have one
	Cancel string       // path that ends the sign-in for App and leads back there, a GET; empty: no way back. Every page draws it
	Onward template.URL // on sign_in and sign_up: where whoever is signed in already goes on as they are; empty: not offered
	Inbox  string       // on check_mail: path of the development inbox, if this browser may read it; empty: none
	Still  bool         // the page does not leave by itself, as go_on and form_post do: a sample, to be looked at

	SignUpOpen  bool
	PasswordMin int // code points
	Data        any // Account, AppProblem, CheckMail, Consent, Done, FormPost, GoOn, or what the inbox shows, for the page of that name
}

// Hidden is a hidden field of a form.
type Hidden struct{ Name, Value string }

// Said is a message with what fills its placeholders.
type Said struct {
	Key  string
	Args []any
}

// CheckMail is the page after a mail was asked for.
type CheckMail struct {
	For string // sign_up, forgot_password or end_session
}

// Done tells that something is done: the messages are done.<what>.title and done.<what>.text.
type Done struct {
	What string
	Next template.URL // of where to go on: ours, or a registered application's, whose scheme may be its own; empty: nowhere
	Say  string       // key of the words on that button
	App  string       // shown name of the application that it leads to, named instead; empty: none
}

// Account is the page of a person's own sessions.
type Account struct {
	Sessions []Session // alive, newest first: a browser with its applications is one
	Allowed  []Allowed // applications that asked and were allowed
	Ended    []Session // lately, newest first: applications among them
}

// Session is one line of Account.
type Session struct {
	ID        string
	Browser   string
	OS        string
	Kind      string // desktop, mobile, tablet, bot; unknown or empty: not said
	Addr      string
	FirstSeen time.Time
	LastSeen  time.Time
	EndedAt   time.Time
	Reason    string // why it ended, a word of internal/auth
	Current   bool
	App       string // shown name of the application whose session it is; empty: a browser's, or not said
	Apps      []App  // whose sessions came from this browser's and are alive; each may be ended by itself
}

// App is an application's session in a browser.
type App struct {
	ID       string // of that session
	Name     string // as shown
	LastSeen time.Time
}

// Allowed is an application that a person has allowed to use their account, with a button that withdraws it.
type Allowed struct {
	Client    string   // its alias, which the button sends as clientAlias to /account/revoke-consent
	Name      string   // as shown
	Scopes    []string // as in Consent
	GrantedAt time.Time
}

// PreviewLinks are the pages of one client in one language.
type PreviewLinks struct {
	Title string
	Links []PreviewLink
}

// PreviewLink leads to one of them.
type PreviewLink struct{ Title, Path string }

// Title is the page's heading: the message <page>.title, or <page>.title_app where there is something to name.
func (v *View) Title() (string, error) {
	if name := v.named(); name != "" {
		return v.T(v.titleKey()+"_app", name)
	}
	return v.T(v.titleKey())
}

// Site is whose page it is, which ends the document's title; empty where the heading says so.
func (v *View) Site() string {
	if v.named() == v.Brand.Name {
		return ""
	}
	return v.Brand.Name
}

// named is what the heading names: the application that a sign-in is for, or whose pages one is about to sign out of.
// Empty: nothing, as where a client has words of its own for the heading that names nothing.
func (v *View) named() string {
	plain, naming := v.titleKey(), v.titleKey()+"_app"
	switch {
	case !v.Printer.Has(naming) || v.Printer.Owns(plain) && !v.Printer.Owns(naming):
		return ""
	case v.Name == "sign_out":
		return v.Brand.Name
	default:
		return v.App
	}
}

// titleKey is the message of the heading that names nothing. Both pages that lead back to an application say the same.
func (v *View) titleKey() string {
	if v.Name == "form_post" {
		return "go_on.title"
	}
	return v.Name + ".title"
}

// T is a message in the person's language.
func (v *View) T(key string, args ...any) (string, error) { return v.Printer.Text(key, args...) }

// Say is a message that came from the rules.
func (v *View) Say(s Said) (string, error) { return v.Printer.Text(s.Key, s.Args...) }

// Time is a date and a time of day.
func (v *View) Time(t time.Time) (string, error) { return v.Printer.Time(t) }

// Ago is how long ago t was.
func (v *View) Ago(t time.Time) (string, error) { return v.Printer.Ago(t, v.Now) }

// Languages are those to choose from.
func (v *View) Languages() []locale.Language { return locale.Languages() }

// Link is another page's path, which may have a query, with what goes along.
func (v *View) Link(path string) string {
	switch {
	case len(v.Carried) == 0:
		return path
	case strings.Contains(path, "?"):
		return path + "&" + v.Carried.Encode()
	}
	return path + "?" + v.Carried.Encode()
}

// Device is a session as the parts "device" and "seen" draw it.
func (v *View) Device(s Session) any {
	return struct {
		*View
		Session Session
	}{v, s}
}

// Field is one input of a form.
type Field struct {
	*View
	Field        string
	labelKey     string // of its label, below "field."; empty: the field's own name
	Kind         string // of input
	Autocomplete string // WHATWG HTML, autofill: what password managers go by
	Focus        bool
}

// Input is the field of that name: its label is the message field.<name>.
func (v *View) Input(name, kind, autocomplete string) Field {
	return Field{View: v, Field: name, Kind: kind, Autocomplete: autocomplete}
}

// First is Input for the field that a page begins with.
func (v *View) First(name, kind, autocomplete string) Field {
	return Field{View: v, Field: name, Kind: kind, Autocomplete: autocomplete, Focus: true}
}

// Called gives the field another label: the message field.<label>.
func (f Field) Called(label string) Field {
	f.labelKey = label
	return f
}

// Label is what the field is called.
func (f Field) Label() (string, error) { return f.T("field." + cmp.Or(f.labelKey, f.Field)) }

// Value is what it holds.
func (f Field) Value() string { return f.Values[f.Field] }

// Error is what is wrong with it, empty when nothing is.
func (f Field) Error() (string, error) {
	s, ok := f.FieldErrors[f.Field]
	if !ok {
		return "", nil
	}
	return f.Say(s)
}

// Word is what script may show beside a new password, by the name that the policy's answer has for it, less
// the underscores: html/template lets none be in an attribute's name.
type Word struct{ Name, Text string }

// Words are all of them.
func (f Field) Words() (words []Word, err error) {
	for name, said := range map[string]Said{
		"weak": {Key: "password.weak"}, "fair": {Key: "password.fair"},
		"good": {Key: "password.good"}, "strong": {Key: "password.strong"},
		"too_short": {Key: "field_error.too_short", Args: []any{f.PasswordMin}}, "too_long": {Key: "field_error.too_long"},
		"too_common": {Key: "field_error.too_common"}, "contains_context": {Key: "field_error.contains_context"},
		"invalid_format": {Key: "field_error.invalid_format"},
	} {
		text, err := f.Say(said)
		if err != nil {
			return nil, err
		}
		words = append(words, Word{strings.ReplaceAll(name, "_", ""), text})
	}
	slices.SortFunc(words, func(a, b Word) int { return strings.Compare(a.Name, b.Name) })
	return words, nil
}
