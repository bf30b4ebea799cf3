package main

// What signals do to a server: SIGTERM and SIGINT end it in order, SIGHUP has it read the clients file and the
// certificate again, or, at a terminal, ends it too.

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"latchkey/internal/auth"
	"latchkey/internal/listener"
	"latchkey/internal/server"
)

// partsUntil begins the group of a server's parts. Told to stop by ctx, it is no longer ready at once (stopping is
// closed) and goes on serving for LATCHKEY_DRAIN_DELAY, until load balancers have noticed; a part that fails ends
// all of them at once.
func (c *config) partsUntil(ctx context.Context, log *slog.Logger) (*errgroup.Group, context.Context, <-chan struct{}) {
	parts, serving := errgroup.WithContext(context.WithoutCancel(ctx))
	serving, stop := context.WithCancel(serving)
	stopping, unready := context.WithCancel(serving)
	last := sync.OnceFunc(func() { log.Info("stopping: requests in flight finish first") })
	context.AfterFunc(ctx, func() {
		unready()
		if c.DrainDelay > 0 {
			log.Info("stopping: not ready any more, and serving until load balancers have noticed", "delay", c.DrainDelay.String())
		}
		time.AfterFunc(c.DrainDelay, func() {
			last() // before the parts end, and the process with them
			stop()
		})
	})
	context.AfterFunc(serving, last)
	return parts, serving, stopping.Done()
}

// certificate is nil where Latchkey does not speak TLS itself.
func (c *config) certificate(metrics *server.Metrics, log *slog.Logger) (*listener.Certificate, error) {
	if c.TLSCert == "" {
		return nil, nil
	}
	cert, err := listener.NewCertificate(c.TLSCert, c.TLSKey, readFile, log, metrics.OnCertificate)
	return cert, named("public listener, LATCHKEY_ADDR", err)
}

// takeHangups takes SIGHUP for as long as the process runs, so that it kills the server neither before it serves nor
// while it stops. Where the process belongs to a terminal, the signal says that its window was closed, and ends ctx as
// SIGTERM does (unless nohup said to ignore it); a server that lived on would hold port and lock unseen. Elsewhere it
// asks for a reload.
func (c *config) takeHangups(ctx context.Context) (context.Context, <-chan os.Signal) {
	ends := c.Terminal && !signal.Ignored(syscall.SIGHUP)
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	if !ends {
		return ctx, hangups
	}
	ctx, end := context.WithCancel(ctx)
	go func() {
		defer end()
		select {
		case <-hangups:
		case <-ctx.Done():
		}
	}()
	return ctx, nil
}

// reloadOn is the part that acts on a request for a reload.
func (c *config) reloadOn(hangups <-chan os.Signal, svc *auth.Service, certificate *listener.Certificate, log *slog.Logger) func(context.Context) error {
	return func(ctx context.Context) error {
		for {
			select {
			case <-ctx.Done():
				return nil
			case <-hangups:
				c.reload(svc, log)
				if certificate != nil {
					certificate.Reload()
				}
			}
		}
	}
}

// reload puts the clients that the configuration names now in place of those before: all of them, or, where
// anything is wrong, none. Other settings hold until a restart.
func (c *config) reload(svc *auth.Service, log *slog.Logger) {
	if c.again == nil {
		return
	}
	fresh, err := c.again()
	if err == nil {
		err = svc.SetClients(fresh.Clients)
	}
	if err != nil {
		log.Error("clients not reloaded, the old ones stay", "cause", err)
		return
	}
	for _, warning := range append(fresh.remarks, fresh.clientWarnings()...) {
		log.Warn(warning)
	}
	log.Info("clients reloaded", "clients", len(fresh.Clients.List()))
}
