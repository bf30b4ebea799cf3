// Package listener serves a handler on an address until told to stop. It owns the socket: TLS and its certificate,
// the limits on connections, headers and time, and how requests in flight finish. Nobody can shut others out by
// holding connections, and a refusal reaches a client that is still sending. It never looks at what a request asks.
package listener

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"

	"latchkey/internal/burst"
	"latchkey/internal/peer"
)

// Options say where and how to serve. Addr, Handler and Log must be set.
type Options struct {
	Addr        string
	Handler     http.Handler
	Certificate *Certificate // nil: plain HTTP
	Log         *slog.Logger

	WriteTimeout   time.Duration  // 0: 30 s; pprof needs more
	IdleTimeout    time.Duration  // of a connection between two requests; 0: 2 min
	MaxConnections int            // 0: 8192
	TrustedProxies peer.Proxies   // which may use them all, as this machine may
	Grace          time.Duration  // for requests in flight when ctx ends; 0: 10 s
	Listening      func(net.Addr) // nil: nobody asks; called once, when connections are accepted

	shareOf func(client netip.Addr) netip.Prefix // nil: shareOf; a test's callers are all loopback
}

const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 15 * time.Second
	maxHeader         = 16 << 10 // bytes
)

// authenticatedCiphers are TLS 1.2's suites with forward secrecy and authenticated encryption (RFC 9325
// §4.2); TLS 1.3 has no others.
var authenticatedCiphers = []uint16{
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
}

// Run serves until ctx ends, then lets the requests in flight finish. Whoever asks readyz must have
// been told to stop before.
func Run(ctx context.Context, o Options) error {
	setDefault(&o.WriteTimeout, 30*time.Second)
	setDefault(&o.IdleTimeout, 2*time.Minute)
	setDefault(&o.MaxConnections, 8192)
	if o.shareOf == nil {
		o.shareOf = func(client netip.Addr) netip.Prefix { return shareOf(client, o.TrustedProxies) }
	}
	setDefault(&o.Grace, 10*time.Second)
	listener, open, err := listen(ctx, o)
	if err != nil {
		return err
	}
	troubles := burst.New(o.Log, time.Now)
	defer troubles.End()
	srv := &http.Server{
		Handler:           o.Handler,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      o.WriteTimeout,
		IdleTimeout:       o.IdleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          log.New(troubles, "", 0),
		ConnState:         open.noteState,

		DisableGeneralOptionsHandler: true, // its answer to OPTIONS * has none of our headers
	}
	drained := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() { drained <- drain(srv, open, o.Grace) })
	if o.Listening != nil {
		o.Listening(listener.Addr())
	}
	if err := srv.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		stop()
		return fmt.Errorf("serve %s: %w", o.Addr, err)
	}
	return <-drained
}

// setDefault gives an option that is not set, so has its zero value, a default.
func setDefault[T comparable](v *T, to T) {
	var zero T
	if *v == zero {
		*v = to
	}
}

// listen opens the address, bounded in connections, with TLS where there is a certificate.
func listen(ctx context.Context, o Options) (net.Listener, *connections, error) {
	var secure *tls.Config
	if o.Certificate != nil {
		secure = &tls.Config{
			MinVersion: tls.VersionTLS12, CipherSuites: authenticatedCiphers,
			GetCertificate: o.Certificate.get, NextProtos: []string{"h2", "http/1.1"},
		}
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", o.Addr)
	if err != nil {
		return nil, nil, fmt.Errorf("listen on %s: %w", o.Addr, err)
	}
	open := limitConnections(listener, o.MaxConnections, o.shareOf)
	if secure != nil {
		return tls.NewListener(open, secure), open, nil
	}
	return open, open, nil
}

// drain stops accepting and waits for the requests in flight, but not for ever.
func drain(srv *http.Server, open *connections, grace time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	err := srv.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		open.hurry()
		err = errors.Join(fmt.Errorf("requests were still running after %s", grace), srv.Close())
	}
	return err
}
