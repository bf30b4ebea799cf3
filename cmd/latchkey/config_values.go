package main

// Parsing of the addresses, URLs and files that configuration values name.

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"

	"latchkey/internal/address"
	"latchkey/internal/brand"
	"latchkey/internal/mail"
	"latchkey/internal/pages"
)

// listenAddress parses host:port; an empty value leaves the listener off.
func listenAddress(into *string) func(string) error {
	return func(value string) error {
		_, port, err := net.SplitHostPort(value)
		if err == nil {
			_, err = strconv.ParseUint(port, 10, 16)
		}
		if err != nil {
			return errors.New("write host:port, such as 127.0.0.1:8080, or :8080 for every address of this machine")
		}
		*into = value
		return nil
	}
}

// origin parses scheme://host[:port] and nothing more, in the one spelling that browsers send.
func origin(into *string) func(string) error {
	return func(value string) error {
		text, err := parseOrigin(value, address.ParseOrigin)
		*into = text
		return err
	}
}

func parseOrigin(value string, parse func(string) (string, bool)) (string, error) {
	origin, ok := parse(value)
	switch {
	case !ok:
		return "", errors.New("write scheme and host, such as https://auth.example.com, in ASCII letters (an international name in its xn-- form), without a wildcard or a user name")
	case origin != strings.TrimSuffix(value, "/"):
		return "", fmt.Errorf("write %s: lower case, with no path or question mark, and no port where it is the scheme's own", origin)
	}
	return origin, nil
}

func (c *config) setOrigins(value string) error {
	for part := range strings.SplitSeq(value, ",") {
		text, err := parseOrigin(strings.TrimSpace(part), address.ParsePageOrigin)
		if err != nil {
			return err
		}
		c.CORSOrigins = append(c.CORSOrigins, text)
	}
	return nil
}

func (c *config) setProxies(value string) error {
	for part := range strings.SplitSeq(value, ",") {
		prefix, err := parsePrefix(strings.TrimSpace(part))
		if err != nil {
			return errors.New("write CIDRs with a comma between, such as 10.0.0.0/8,fd00::/8")
		}
		c.TrustedProxies = append(c.TrustedProxies, prefix)
	}
	return nil
}

func parsePrefix(text string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(text); err == nil {
		addr = addr.Unmap()
		return addr.Prefix(addr.BitLen())
	}
	prefix, err := netip.ParsePrefix(text)
	if err == nil && prefix.Addr().Is4In6() { // ::ffff:10.0.0.0/104 is 10.0.0.0/8, as callers' addresses are written
		if prefix.Bits() < 96 {
			return prefix, errors.New("more than the IPv4 addresses in IPv6")
		}
		prefix = netip.PrefixFrom(prefix.Addr().Unmap(), prefix.Bits()-96)
	}
	return prefix.Masked(), err
}

// checkTLSKey: certificates are often shared with a web or mail server, by a group that may read the key.
func (c *config) checkTLSKey() error {
	if c.TLSKey == "" {
		return nil
	}
	_, found, err := readSecretFile("TLS key file", c.TLSKey)
	if err != nil {
		return fmt.Errorf("LATCHKEY_TLS_KEY: %w", err)
	}
	found.byGroup = true
	warning, err := found.judge()
	c.remark(warning)
	return err
}

// setTheme parses what pages and mails are drawn with. What of it is the operator's own is drawn at the start,
// so that a broken template or text stops that, and neither a visitor nor the outbox.
func (c *config) setTheme() error {
	var own fs.FS
	if c.ThemeDir != "" {
		own = operatorFolder{os.DirFS(c.ThemeDir)}
	}
	if err := c.readTheme(own); err != nil {
		return fmt.Errorf("LATCHKEY_THEME_DIR: %w", err)
	}
	looks := []brand.Brand{brand.Plain}
	for _, client := range c.Clients.List() {
		looks = append(looks, client.Brand)
	}
	for _, look := range looks {
		if own == nil && look.Texts == nil {
			continue
		}
		if err := errors.Join(c.Pages.Check(look), c.MailTemplates.Check(look)); err != nil {
			if own == nil {
				return fmt.Errorf("LATCHKEY_CLIENTS_FILE: client %q: texts: %w", look.Alias, err)
			}
			return fmt.Errorf("LATCHKEY_THEME_DIR: %w", err)
		}
	}
	return nil
}

// readTheme refuses a misspelt file, which would change nothing and say nothing.
func (c *config) readTheme(own fs.FS) (err error) {
	if own != nil {
		entries, err := fs.ReadDir(own, ".")
		if err != nil {
			return fmt.Errorf("read %s: %w", c.ThemeDir, err)
		}
		known := append(pages.Files(), mail.Files()...)
		for _, entry := range entries {
			if !slices.Contains(known, entry.Name()) {
				return fmt.Errorf("%s stands in for nothing: there are %s", entry.Name(), strings.Join(known, ", "))
			}
		}
	}
	if c.Pages, err = pages.New(own); err != nil {
		return err
	}
	c.MailTemplates, err = mail.NewTemplates(own)
	return err
}

// publicLoopback and listensLoopback: nobody but this machine is meant to come in.
func (c *config) publicLoopback() bool {
	u, err := url.Parse(c.PublicURL)
	return err == nil && address.IsLoopback(u.Hostname())
}

func listensLoopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	return err == nil && address.IsLoopback(host)
}
