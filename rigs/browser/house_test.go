package browser

// A server with its post, and what people do there so often that it has a name.

import (
	"regexp"
	"strings"
	"testing"

	"latchkey/rigs/stage"
)

// house is the real binary on SQLite, whose mails a real SMTP server takes.
type house struct {
	t    *testing.T
	node *stage.Node
	post *stage.Post
	url  string          // where people go
	seen map[string]bool // links that were handed out
}

func newHouse(t *testing.T, extra stage.Settings) *house {
	t.Helper()
	post := stage.NewPost(t)
	settings := stage.Settings{"SMTP_URL": post.URL()}
	for key, value := range extra {
		settings[key] = value
	}
	node := stage.StartNode(t, settings)
	return &house{t: t, node: node, post: post, url: node.Settings["PUBLIC_URL"], seen: map[string]bool{}}
}

// mailed waits for a link that leads to a page and came to an address since the last one.
func (h *house) mailed(address, page string) string {
	h.t.Helper()
	pattern, found := regexp.MustCompile(regexp.QuoteMeta(h.url+page)+`\?[^\s"<>]+`), ""
	h.post.Await(address, patience, func(mails []stage.Mail) bool {
		for _, mail := range mails {
			for _, link := range pattern.FindAllString(mail.Text(), -1) {
				if link = strings.ReplaceAll(link, "&amp;", "&"); !h.seen[link] {
					found = link
				}
			}
		}
		return found != ""
	})
	if found == "" {
		h.t.Fatalf("no mail to %s has a new link to %s", address, page)
	}
	h.seen[found] = true
	return found
}

const (
	goodPassword  = "seven herons on a wet roof"
	otherPassword = "a tin of quiet thunder"
)

// signUp makes an account on the pages, from asking for the link to the word of welcome, and signs out.
func (h *house) signUp(p *person, email string) {
	p.t.Helper()
	p.open(h.url + "/signup")
	p.fill("email", email)
	p.press("sign_up.button")
	p.at("check_mail.title")
	p.open(h.mailed(email, "/verify-email-success"))
	p.at("complete_sign_up.title")
	p.fill("firstName", "Ada")
	p.fill("lastName", "Lovelace")
	p.fill("password", goodPassword)
	p.press("complete_sign_up.button")
	p.told("account.note.signed_up")
	p.press("account.sign_out")
	p.at("done.signed_out.title")
}

// signIn fills in the form of the sign-in page that is shown.
func (p *person) signIn(email, password string) {
	p.t.Helper()
	p.at("sign_in.title")
	p.fill("email", email)
	p.fill("password", password)
	p.press("sign_in.button")
}

// enter signs in from anywhere.
func (h *house) enter(p *person, email, password string) {
	p.t.Helper()
	p.open(h.url + "/signin")
	p.signIn(email, password)
	p.at("account.title")
}

// bothWays runs a flow with JavaScript and without.
func bothWays(t *testing.T, flow func(t *testing.T, script bool)) {
	t.Run("script", func(t *testing.T) { flow(t, true) })
	t.Run("no script", func(t *testing.T) { flow(t, false) })
}
