package main

// latchkey serve: wires the rooms together, starts the only goroutines there are, and stops them in
// order.

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"latchkey/internal/mail"
	"latchkey/internal/server"
	"latchkey/internal/worker"
)

const (
	inboxCapacity     = 200             // mails that /dev/inbox shows
	deliverers        = 4               // mails under way at once: one slow SMTP dialogue holds no other up
	adminWriteTimeout = 2 * time.Minute // a CPU profile takes 30 s
	adminGrace        = time.Second     // nobody waits for a profile
)

func (a *app) serveCommand() *cobra.Command {
	cmd := leaf("serve", "Start the server; makes data folder, keys and schema where there are none", nil)
	cmd.Long = cmd.Short + ".\n\nConfiguration: environment variables, or the same keys in a TOML file (--config).\n\n" + keyTable()
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := loadConfig(a.env, a.configFile)
		if err != nil {
			newLog("", a.stderr).Error(err.Error())
			return loggedError{err}
		}
		collectRarely(a.env)
		log := newLog(c.Log, a.stderr)
		if err := serve(cmd.Context(), c, log); err != nil {
			log.Error(sentence(err).Error())
			return loggedError{err}
		}
		return nil
	}
	return cmd
}

// serve runs until ctx ends or a part fails. On PostgreSQL nothing is in the data folder, so several
// servers may share the default one.
func serve(ctx context.Context, c *config, log *slog.Logger) (err error) {
	if c.DatabaseURL == "" {
		d := folder(c.DataDir)
		if err := d.prepare(); err != nil {
			return err
		}
		release, err := d.lock()
		if err != nil {
			return err
		}
		defer release()
	}
	s, err := openStorage(ctx, c, true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	applied, err := s.settleSchema(ctx, c, mayUpgrade)
	if err != nil {
		return err
	}
	if len(applied) > 0 {
		log.Info("schema brought up to date", "applied", applied)
	}
	sender, inbox := c.mailWay()
	metrics := server.NewMetrics()
	pace := newPacer(c.HashWorkers)
	svc, err := newService(ctx, c, s, outlet{sender: sender, log: log, onRefresh: metrics.OnRefresh, onHashing: pace.onHashing})
	if err != nil {
		return err
	}
	if err := svc.SettleKeys(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, svc.FlushRefusals(ctx)) }()
	return runParts(ctx, c, pace, server.Options{
		Service: svc, PublicURL: c.PublicURL, TrustedProxies: c.TrustedProxies, CORSOrigins: c.corsOrigins(), Clients: c.Clients.List(), Pages: c.Pages,
		Inbox: inbox, ListenAddr: c.Addr, Log: log, Metrics: metrics,
	})
}

// mailWay is where mails go: to the SMTP server, else to the dev inbox, else nowhere. The dev inbox
// shows links that take accounts over, so it exists on loopback alone.
func (c *config) mailWay() (mail.Sender, *mail.Inbox) {
	switch {
	case c.SMTP != nil:
		return c.SMTP, nil
	case server.InboxAllowed(c.PublicURL, c.Addr):
		inbox := mail.NewInbox(inboxCapacity)
		return inbox, inbox
	}
	return noMail{}, nil
}

func (c *config) corsOrigins() []string {
	if c.CORSOrigins != nil {
		return c.CORSOrigins
	}
	return c.Clients.Origins()
}

// runParts runs the listeners and the worker until ctx ends or one of them fails; then all stop. The
// admin listener goes last: it tells a load balancer that this node is not ready while the requests
// in flight finish, as it does before the public one accepts any.
func runParts(ctx context.Context, c *config, pace *pacer, o server.Options) error {
	parts, ctx := errgroup.WithContext(ctx)
	drained, setDrained := context.WithCancel(context.WithoutCancel(ctx))
	listening := make(chan struct{})
	o.Listening, o.Stopping = listening, ctx.Done()
	context.AfterFunc(ctx, func() { o.Log.Info("stopping: requests in flight finish first") })

	parts.Go(func() error {
		defer setDrained()
		err := server.Run(ctx, server.ListenOptions{
			Addr: c.Addr, Handler: server.New(o), CertFile: c.TLSCert, KeyFile: c.TLSKey, Log: o.Log,
			Listening: func(at net.Addr) {
				close(listening)
				c.logHints(o.Log, at, o.Inbox != nil)
			},
		})
		return named("public listener, LATCHKEY_ADDR", err)
	})
	if c.AdminAddr != "" {
		parts.Go(func() error {
			err := server.Run(drained, server.ListenOptions{
				Addr: c.AdminAddr, Handler: server.NewAdmin(o), Log: o.Log, WriteTimeout: adminWriteTimeout, Grace: adminGrace,
			})
			return named("admin listener, LATCHKEY_ADMIN_ADDR", err)
		})
	}
	for range deliverers {
		parts.Go(func() error { return named("outbox", worker.Outbox(ctx, o.Service, o.Log)) })
	}
	if c.DatabaseURL == "" {
		parts.Go(func() error { return named("checkpoints", worker.Checkpoints(ctx, o.Service, o.Log)) })
	}
	parts.Go(func() error { return pace.run(ctx) })
	parts.Go(func() error { return named("upkeep", worker.Upkeep(ctx, o.Service, o.Log)) })
	return parts.Wait()
}

// named says which part failed.
func named(part string, err error) error {
	if err != nil {
		err = fmt.Errorf("%s: %w", part, err)
	}
	return err
}
