package main

// What `latchkey serve` says when it has started: where it is, what to try next, and which settings
// are weaker than they should be outside a test.

import (
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"slices"
	"strings"

	"latchkey/internal/address"
	"latchkey/internal/server"
	"latchkey/internal/store"
)

// inboxHint is where mails are read: empty where there is no dev inbox.
func (c *config) logHints(log *slog.Logger, at net.Addr, inboxHint string) {
	for _, warning := range c.warnings(inboxHint != "") {
		log.Warn(warning)
	}
	release, _ := server.Build()
	log.Info("ready", "version", release, "public_url", c.PublicURL, "listen", at.String(), "admin", c.AdminAddr, "database", c.databaseName())
	for _, hint := range c.hints(inboxHint) {
		log.Info(hint)
	}
}

func (c *config) databaseName() string {
	if c.DatabaseURL != "" {
		return "postgresql"
	}
	return folder(c.DataDir).path(databaseFile)
}

// inboxHint says where mails are read. The link that opens them goes to a person at a terminal alone: a log is
// kept, and read by others (I14), so it names the file that the key is in.
func (c *config) inboxHint(key server.InboxKey) string {
	if c.LogsToTerminal {
		return "read the mails at " + key.Link(c.PublicURL)
	}
	return "read the mails at " + c.PublicURL + "/dev/inbox?key=… with the key in " + folder(c.DataDir).path(inboxFile)
}

// hints are for the first five minutes.
func (c *config) hints(inboxHint string) []string {
	var list []string
	if inboxHint != "" {
		list = append(list,
			"create an account in the browser: "+c.PublicURL+"/signup",
			`or by the API: curl -s `+c.PublicURL+`/auth/verification-mail -H 'Content-Type: application/json' -d '{"email":"ada@example.com"}'`,
			"no mail server is set: "+inboxHint)
	} else {
		list = append(list, "make an account: latchkey user add --email ada@example.com --first-name Ada --last-name Lovelace")
	}
	if c.Signup == "closed" {
		list = append(list, "sign-up is closed: only `latchkey user add` makes accounts")
	}
	if c.AdminAddr != "" {
		list = append(list, "metrics and health: http://"+c.AdminAddr+"/metrics and /readyz")
	}
	return list
}

// warnings name each setting that is weaker than the default, or does not fit another.
func (c *config) warnings(inbox bool) []string {
	list := slices.Clone(c.remarks)
	warn := func(when bool, text string) {
		if when {
			list = append(list, text)
		}
	}
	public, _ := url.Parse(c.PublicURL) // parsed when the configuration was read
	warn(c.HashMemoryKiB < hashMemoryFloor || c.HashTime < hashTimeFloor,
		fmt.Sprintf("password hashes cost less than they should: raise LATCHKEY_HASH_MEMORY_KIB to %d and LATCHKEY_HASH_TIME to %d, or a stolen database is cheap to crack", hashMemoryFloor, hashTimeFloor))
	warn(c.Throttle == "off", "LATCHKEY_THROTTLE is off: anyone may guess passwords without limit; use it for load tests only")
	warn(public.Scheme == "http" && !c.publicLoopback(),
		"LATCHKEY_PUBLIC_URL is http and not this machine: passwords and tokens cross the network in the clear; put TLS before Latchkey or give LATCHKEY_TLS_CERT and LATCHKEY_TLS_KEY, and write https")
	warn(public.Scheme == "http" && c.TLSCert != "", "LATCHKEY_PUBLIC_URL is http, but Latchkey speaks TLS: write https, or links do not open")
	warn(public.Scheme == "https" && c.TLSCert == "" && len(c.TrustedProxies) == 0,
		"LATCHKEY_PUBLIC_URL is https without LATCHKEY_TLS_CERT, so a proxy is in front: name it in LATCHKEY_TRUSTED_PROXIES, or all users share one address and its limits")
	warn(c.publicLoopback() && !samePort(public, c.Addr),
		"LATCHKEY_PUBLIC_URL is "+c.PublicURL+", but Latchkey listens on "+c.Addr+": links in mails lead to the former")
	warn(c.SMTP == nil && !inbox,
		"no mail goes out: LATCHKEY_SMTP_URL is not set, and /dev/inbox exists only while public URL and listener are loopback")
	list = append(list, c.mailWarnings()...)
	warn(c.AdminAddr != "" && !listensLoopback(c.AdminAddr),
		"LATCHKEY_ADMIN_ADDR is not loopback: keep /metrics and pprof off public networks")
	warn(crossesNetworkInClear(c.DatabaseURL),
		"LATCHKEY_DATABASE_URL reaches PostgreSQL over the network without checking who answers: add sslmode=verify-full (and sslrootcert=…)")
	for _, proxy := range c.TrustedProxies {
		warn(proxy.Bits() == 0, "LATCHKEY_TRUSTED_PROXIES has "+proxy.String()+": anyone may claim any address; name your proxies alone")
	}
	list = append(list, c.clientWarnings()...)
	warn(c.TransportKey != "", "LATCHKEY_TRANSPORT_KEY is set: it protects nothing that TLS does not; keep it only while a client needs it")
	return list
}

// clientWarnings are about the clients: a reload shows them too.
func (c *config) clientWarnings() (list []string) {
	for _, client := range c.Clients.List() {
		if client.SignupWithoutCode {
			list = append(list, "client "+client.Alias+" has signup_without_code: for 60 minutes after a verification, anyone at the same address may finish that sign-up")
		}
		if client.NextAuthSecret != "" {
			list = append(list, "client "+client.Alias+" has nextauth_secret: script in that application can read its users' tokens, and who learns the secret can read those of anybody whose session id he knows")
		}
	}
	return list
}

// mailWarnings are about a mail server that is set: `latchkey mail test` shows them too.
func (c *config) mailWarnings() (list []string) {
	if c.SMTP == nil {
		return nil
	}
	if c.SMTP.InClear() {
		list = append(list, "LATCHKEY_SMTP_URL has ?tls=none and its host is not this machine: passwords and links of mails cross the network in the clear; remove ?tls=none, or write smtps://, unless that way is safe by itself")
	}
	if strings.HasSuffix(strings.TrimSuffix(c.MailFrom, ">"), "@localhost") {
		list = append(list, "LATCHKEY_MAIL_FROM is "+c.MailFrom+": mail servers refuse a sender at localhost; write an address of a domain of yours, as in Latchkey <no-reply@example.com>")
	}
	return list
}

// crossesNetworkInClear: the driver falls back to plain text unless sslmode says otherwise, and only the verify
// modes notice an impostor.
func crossesNetworkInClear(databaseURL string) bool {
	if databaseURL == "" {
		return false
	}
	servers, err := store.ParseURL(databaseURL)
	return err == nil && slices.ContainsFunc(servers, func(s store.Server) bool {
		return !s.Socket && !s.Verified && !address.IsLoopback(s.Host)
	})
}

// samePort: with TLS or a proxy in front the ports differ on purpose, but then the URL is not plain
// loopback http.
func samePort(public *url.URL, addr string) bool {
	_, port, err := net.SplitHostPort(addr)
	if err != nil || port == "0" || public.Scheme != "http" {
		return true
	}
	want := public.Port()
	if want == "" {
		want = "80"
	}
	return strings.TrimLeft(port, "0") == want
}
