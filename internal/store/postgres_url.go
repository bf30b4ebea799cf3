package store

// The URL of a PostgreSQL database. One parser reads it, the driver's; what others read differently is refused,
// since then a part of the password would be taken for a host's name, and be looked up and logged.

import (
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Server is one that a URL names, and how it is spoken to.
type Server struct {
	Host     string // a name, an address or a socket's folder
	Socket   bool
	Verified bool // TLS, with a certificate that is checked: an impostor is noticed
}

var errEncode = errors.New("percent-encode the password (@ is %40, / is %2F, : is %3A, ? is %3F, # is %23, % is %25) and write postgres://user:password@host/database")

// ParseURL reads a database URL, with what the environment and the service file add to it. The error says what to
// write and holds no part of a password.
func ParseURL(url string) ([]Server, error) {
	config, err := parsePostgres(url)
	if err != nil {
		return nil, err
	}
	c := config.ConnConfig
	servers := []Server{serverOf(c.Host, c.Config.TLSConfig != nil, c.Config)}
	for _, f := range c.Fallbacks {
		other := c.Config
		other.TLSConfig = f.TLSConfig
		servers = append(servers, serverOf(f.Host, f.TLSConfig != nil, other))
	}
	return servers, nil
}

// serverOf: with verify-ca the driver checks the certificate by a function of its own.
func serverOf(host string, tls bool, c pgconn.Config) Server {
	verified := tls && (!c.TLSConfig.InsecureSkipVerify || c.TLSConfig.VerifyPeerCertificate != nil || c.TLSConfig.VerifyConnection != nil)
	return Server{Host: host, Socket: strings.HasPrefix(host, "/") || strings.HasPrefix(host, "@"), Verified: verified}
}

func parsePostgres(url string) (*pgxpool.Config, error) {
	if !readAlike(url) {
		return nil, errEncode
	}
	config, err := pgxpool.ParseConfig(url)
	if err == nil {
		return config, nil
	}
	// The driver begins with the URL, masked as well as it can be; the cause alone is said.
	text := err.Error()
	if i := strings.LastIndex(text, "`: "); i >= 0 {
		text = text[i+len("`: "):]
	}
	return nil, fmt.Errorf("it cannot be read: %s", text)
}

// readAlike says whether every parser finds the same user, password, hosts and database in url. RFC 3986 §3.2 ends
// the authority at the first of / ? #; libpq and the driver look for @ first, and know no fragment.
func readAlike(url string) bool {
	_, rest, ok := strings.Cut(url, "://")
	if !ok || strings.Contains(rest, "#") {
		return false
	}
	head, query, _ := strings.Cut(rest, "?")
	authority, path, hasPath := strings.Cut(head, "/")
	user, hosts, hasUser := strings.Cut(authority, "@")
	if !hasUser {
		user, hosts = "", authority
	}
	switch {
	case strings.Contains(hosts, "@"), strings.Contains(path, "@"):
		return false
	case strings.Contains(query, "@") && !hasPath: // the driver takes what is before it for the user
		return false
	case strings.ContainsRune(queryNames(query), '@'):
		return false
	}
	return plainUserinfo(user) && plainEscapes(rest) && numericPorts(hosts)
}

// queryNames are a query's names: no setting has an @ in its name, so one there is the end of a password.
func queryNames(query string) string {
	var names strings.Builder
	for pair := range strings.SplitSeq(query, "&") {
		name, _, _ := strings.Cut(pair, "=")
		names.WriteString(name)
	}
	return names.String()
}

// plainUserinfo: RFC 3986 §3.2.1, and one colon, before the password.
func plainUserinfo(user string) bool {
	for _, r := range user {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		if !letter && !strings.ContainsRune("-._~!$&'()*+,;=:%", r) {
			return false
		}
	}
	return true
}

func plainEscapes(text string) bool {
	for i := strings.IndexByte(text, '%'); i >= 0; i = strings.IndexByte(text, '%') {
		if len(text) < i+3 || !isHex(text[i+1]) || !isHex(text[i+2]) {
			return false
		}
		text = text[i+3:]
	}
	return true
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

// numericPorts: "u:secret" without a host is a user and a password, and would be read as a host and a port.
func numericPorts(hosts string) bool {
	for host := range strings.SplitSeq(hosts, ",") {
		if strings.HasPrefix(host, "[") {
			end := strings.IndexByte(host, ']')
			if end < 0 {
				return false
			}
			host = host[end+1:]
		}
		_, port, _ := strings.Cut(host, ":")
		if strings.Trim(port, "0123456789") != "" {
			return false
		}
	}
	return true
}
