package links

// Where a link leads.

import (
	"net/url"

	"latchkey/internal/clients"
	"latchkey/internal/mail"
	"latchkey/internal/outbox"
)

// linkTo is the link of a token to the page of its kind under base. Our own pages are told which client
// the link was asked for; of others those that always were.
func linkTo(base string, kind mail.Kind, raw string, r outbox.Request, tellClient bool) string {
	page := "/verify-email-success"
	if kind == mail.Reset {
		page = "/reset-password"
	}
	link := base + page + "?verificationCode=" + raw + "&email=" + url.QueryEscape(r.To)
	if tellClient && r.Alias != "" {
		link += "&clientAlias=" + url.QueryEscape(r.Alias)
	}
	if r.Flow != "" {
		link += "&flow=" + r.Flow
	}
	return link
}

// leadsTo is what a mail's link is appended to: the address of our own pages or a registered URL as the
// clients file has it now, whatever the row was written with (I13).
func (l *Links) leadsTo(r outbox.Request, clients *clients.Set) string {
	if r.Hosted {
		return l.home()
	}
	if base, ok := clients.Endpoint(r.Alias, r.Base); ok {
		return base
	}
	if client, ok := clients.Lookup(r.Client); ok {
		return client.URL
	}
	return l.home()
}

// signInLink leads to where one signs in: to our own page where that was asked for, else to the application, or
// to our own address where there is none.
func (l *Links) signInLink(r outbox.Request, clients *clients.Set) string {
	link := l.leadsTo(r, clients)
	if !r.Hosted {
		return link
	}
	query := url.Values{}
	for name, value := range map[string]string{"clientAlias": r.Alias, "flow": r.Flow} {
		if value != "" {
			query.Set(name, value)
		}
	}
	if link += "/signin"; len(query) > 0 {
		link += "?" + query.Encode()
	}
	return link
}
