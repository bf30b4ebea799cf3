package server

// The TLS certificate, read again when its files change: renewals need no restart.

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// certificate hands out what the two files hold. A renewal that cannot be read is logged, and the
// old certificate goes on.
type certificate struct {
	certFile, keyFile string
	log               *slog.Logger

	mu      sync.Mutex
	loaded  *tls.Certificate
	version [2]fileVersion // of the files when they were last read, right or wrong
}

// fileVersion changes when a file does.
type fileVersion struct {
	modified time.Time
	size     int64
}

func newCertificate(certFile, keyFile string, log *slog.Logger) (*certificate, error) {
	c := &certificate{certFile: certFile, keyFile: keyFile, log: log}
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, fmt.Errorf("load TLS certificate %s with key %s: %w", certFile, keyFile, err)
	}
	c.loaded, c.version = &pair, c.onDisk()
	return c, nil
}

// get is tls.Config.GetCertificate.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.onDisk()
	if now == c.version {
		return c.loaded, nil
	}
	c.version = now
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		c.log.Error("TLS certificate not reloaded, the old one stays", "file", c.certFile, "cause", err)
		return c.loaded, nil
	}
	c.loaded = &pair
	c.log.Info("TLS certificate reloaded", "file", c.certFile)
	return c.loaded, nil
}

func (c *certificate) onDisk() (v [2]fileVersion) {
	for i, name := range [...]string{c.certFile, c.keyFile} {
		if info, err := os.Stat(name); err == nil {
			v[i] = fileVersion{info.ModTime(), info.Size()}
		}
	}
	return v
}
