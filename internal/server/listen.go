package server

// Serving a handler on an address until told to stop, within the limits of security.md section 2.

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/net/netutil"
)

// ListenOptions say where and how to serve. Addr, Handler and Log must be set.
type ListenOptions struct {
	Addr              string
	Handler           http.Handler
	CertFile, KeyFile string // both empty: plain HTTP
	Log               *slog.Logger

	WriteTimeout   time.Duration  // 0: 30 s; pprof needs more
	MaxConnections int            // 0: 8192
	Grace          time.Duration  // for requests in flight when ctx ends; 0: 10 s
	Listening      func(net.Addr) // nil: nobody asks; called once, when connections are accepted
}

const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 15 * time.Second
	idleTimeout       = 2 * time.Minute
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
// been told to stop before: Options.Stopping.
func Run(ctx context.Context, o ListenOptions) error {
	setDefault(&o.WriteTimeout, 30*time.Second)
	setDefault(&o.MaxConnections, 8192)
	setDefault(&o.Grace, 10*time.Second)
	listener, err := listen(ctx, o)
	if err != nil {
		return err
	}
	troubles := newBurstLog(o.Log, time.Now)
	defer troubles.end()
	srv := &http.Server{
		Handler:           o.Handler,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      o.WriteTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          log.New(troubles, "", 0),

		DisableGeneralOptionsHandler: true, // its answer to OPTIONS * has none of our headers
	}
	drained := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() { drained <- drain(srv, o.Grace) })
	if o.Listening != nil {
		o.Listening(listener.Addr())
	}
	if err := srv.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		stop()
		return fmt.Errorf("serve %s: %w", o.Addr, err)
	}
	return <-drained
}

func setDefault[T comparable](v *T, to T) {
	var zero T
	if *v == zero {
		*v = to
	}
}

// listen opens the address, bounded in connections, with TLS where there is a certificate.
func listen(ctx context.Context, o ListenOptions) (net.Listener, error) {
	var secure *tls.Config
	if o.CertFile != "" || o.KeyFile != "" {
		c, err := newCertificate(o.CertFile, o.KeyFile, o.Log)
		if err != nil {
			return nil, err
		}
		secure = &tls.Config{
			MinVersion: tls.VersionTLS12, CipherSuites: authenticatedCiphers,
			GetCertificate: c.get, NextProtos: []string{"h2", "http/1.1"},
		}
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", o.Addr)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", o.Addr, err)
	}
	listener = netutil.LimitListener(listener, o.MaxConnections)
	if secure != nil {
		listener = tls.NewListener(listener, secure)
	}
	return listener, nil
}

// drain stops accepting and waits for the requests in flight, but not for ever.
func drain(srv *http.Server, grace time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	err := srv.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = errors.Join(fmt.Errorf("requests were still running after %s", grace), srv.Close())
	}
	return err
}
