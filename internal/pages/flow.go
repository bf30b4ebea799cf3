package pages

// What is shown on an application's way through the pages: what it may be allowed, how a browser gets back to it, and
// that it is not known. What their forms send is fixed here; internal/server says where each leads.

import "html/template"

// Consent is the page "consent", where an application asks to use somebody's account. Its button posts to /consent what
// Carried and Hidden hold; whoever does not want to takes the way back, Cancel. The page "continue" asks less, has no
// Data, and posts to /continue.
type Consent struct {
	Scopes []string // openid, email, profile, offline_access, account: those asked for, each a message scope.<scope>
}

// GoOn is the page "go_on", which answers a form: browsers hold a form's redirects to form-action, so the page itself
// goes on, at once, by a refresh and by a link.
type GoOn struct {
	URL template.URL // ours, or a registered application's, whose scheme may be its own
}

// FormPost is the page "form_post", which posts the fields of Hidden, and nothing else, to an application (OAuth 2.0
// Form Post Response Mode §2): by script at once, or by its button. Its policy must let the form go there.
type FormPost struct {
	Action template.URL // the application's redirect URI
}

// AppProblem is the page "app_problem": an application sent somebody here and is not registered so. The page shows nothing
// of the request and leads nowhere: its View has no Cancel, and a Brand without Home.
type AppProblem struct {
	Unknown string // what is not registered: client or redirect_uri
}
