package listener

// The TLS certificate, read again when its files change: renewals need no restart.

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// Certificate hands out what the two files hold. A renewal that cannot be read is logged, and the
// old certificate goes on.
type Certificate struct {
	certFile, keyFile string
	read              func(file string) ([]byte, error)
	log               *slog.Logger
	on                func(notAfter time.Time) // nil: nobody asks

	mu      sync.Mutex
	loaded  *tls.Certificate
	version [2]fileVersion // of the files when they were last read, right or wrong
}

// fileVersion changes when a file does.
type fileVersion struct {
	modified time.Time
	size     int64
}

// NewCertificate reads the two files by read. on is told until when the one in use is valid.
func NewCertificate(certFile, keyFile string, read func(file string) ([]byte, error), log *slog.Logger, on func(notAfter time.Time)) (*Certificate, error) {
	c := &Certificate{certFile: certFile, keyFile: keyFile, read: read, log: log, on: on}
	c.version = c.onDisk() // before they are read: a renewal in between is noticed
	pair, err := c.pair()
	if err != nil {
		return nil, fmt.Errorf("load TLS certificate %s with key %s: %w", certFile, keyFile, err)
	}
	c.use(&pair)
	return c, nil
}

func (c *Certificate) pair() (tls.Certificate, error) {
	certificate, err := c.read(c.certFile)
	if err != nil {
		return tls.Certificate{}, err
	}
	key, err := c.read(c.keyFile)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.X509KeyPair(certificate, key)
}

// use hands a certificate out from now on.
func (c *Certificate) use(pair *tls.Certificate) {
	c.loaded = pair
	if c.on != nil {
		c.on(pair.Leaf.NotAfter)
	}
}

// get is tls.Config.GetCertificate.
func (c *Certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.onDisk() != c.version {
		c.renew()
	}
	return c.loaded, nil
}

// Reload reads the files now, changed or not. What cannot be read is logged, and the old certificate stays.
func (c *Certificate) Reload() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.renew()
}

// renew is called with mu held.
func (c *Certificate) renew() {
	c.version = c.onDisk()
	pair, err := c.pair()
	if err != nil {
		c.log.Error("TLS certificate not reloaded, the old one stays", "file", c.certFile, "cause", err)
		return
	}
	c.use(&pair)
	c.log.Info("TLS certificate reloaded", "file", c.certFile)
}

func (c *Certificate) onDisk() (v [2]fileVersion) {
	for i, name := range [...]string{c.certFile, c.keyFile} {
		if info, err := os.Stat(name); err == nil {
			v[i] = fileVersion{info.ModTime(), info.Size()}
		}
	}
	return v
}
