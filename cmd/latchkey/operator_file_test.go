package main

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"latchkey/internal/brand"
	"latchkey/internal/mail"
	"latchkey/internal/password"
	"latchkey/internal/server"
)

const mark = "\ufeff"

// Every file that an operator writes may begin with a byte order mark: the certificate and its key, templates, a
// logo, a list of passwords. TestConfigFromWindows has the configuration, the clients and the master key.
func TestFilesBeginWithAByteOrderMark(t *testing.T) {
	cert, key := testCertificate(t)
	theme := t.TempDir()
	linkAlone := "{{.Link}}"
	if err := os.WriteFile(filepath.Join(theme, "mail.txt"), []byte(mark+linkAlone), 0o600); err != nil {
		t.Fatal(err)
	}
	logo := writeFile(t, "logo.svg", mark+`<svg xmlns="http://www.w3.org/2000/svg"></svg>`)
	clients := writeFile(t, "clients.toml", "[[client]]\nalias = \"web\"\nurl = \"https://a.example\"\nlogo_file = \""+logo+"\"\n")
	c, err := loadConfig([]string{
		"LATCHKEY_TLS_CERT=" + writeFile(t, "cert.pem", mark+cert), "LATCHKEY_TLS_KEY=" + writeFile(t, "key.pem", mark+key),
		"LATCHKEY_THEME_DIR=" + theme, "LATCHKEY_CLIENTS_FILE=" + clients,
	}, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.certificate(server.NewMetrics(), slog.New(slog.DiscardHandler)); err != nil {
		t.Errorf("certificate: %v", err)
	}
	if image := c.Clients.List()[0].Brand.Logo; image.MediaType != "image/svg+xml" || bytes.HasPrefix(image.Content, []byte(mark)) {
		t.Errorf("logo: %s %.20q", image.MediaType, image.Content)
	}
	sample := mail.Samples(mail.DataFor(brand.Plain, "en"))[0]
	m, err := c.MailTemplates.Render(sample.Kind, "sample", sample.Data)
	if err != nil || m.Text != sample.Data.Link {
		t.Errorf("mail %q, %v", m.Text, err)
	}
	var filter bytes.Buffer
	if _, err := password.BuildBlocklist(&filter, readerWithoutMark(strings.NewReader(mark+"zanzibar the second\n"))); err != nil {
		t.Fatal(err)
	}
	list, err := password.LoadBlocklist(&filter)
	if err != nil || !list.Contains("zanzibar the second") {
		t.Errorf("the first password of a list is not in its filter: %v", err)
	}
}
