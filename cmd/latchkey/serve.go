package main

// latchkey serve: wires the rooms together, starts the only goroutines there are, and stops them in
// order.

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"time"

	"github.com/spf13/cobra"

	"latchkey/internal/listener"
	"latchkey/internal/logouts"
	"latchkey/internal/mail"
	"latchkey/internal/outbox"
	"latchkey/internal/server"
	"latchkey/internal/worker"
)

const (
	inboxCapacity     = 200             // mails that /dev/inbox shows
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
		c.LogsToTerminal = logsToTerminal(c.Log, a.stderr)
		c.Terminal = isTerminal(a.stdin) || isTerminal(a.stdout) || isTerminal(a.stderr)
		c.again = func() (*config, error) { return loadConfig(a.env, a.configFile) }
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
	ctx, hangups := c.takeHangups(ctx)
	if c.DatabaseURL == "" {
		d := folder(c.DataDir)
		notes, err := d.prepare()
		for _, note := range notes {
			log.Info(note)
		}
		if err != nil {
			return err
		}
		release, err := d.lock()
		if err != nil {
			return err
		}
		defer release()
	}
	if err := c.checkTLSKey(); err != nil {
		return err
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
	svc, err := newService(ctx, c, s, outlet{sender: sender, log: log, onRefresh: metrics.OnRefresh, onSignIn: metrics.OnSignIn, onMail: metrics.OnMail, onLogout: metrics.OnLogout, onHashing: pace.onHashing})
	if err != nil {
		return err
	}
	if err := svc.Keys().Settle(ctx); err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, svc.FlushRefusals(ctx))
		if gone := svc.Node().Leave(ctx); gone != nil { // the others see it by its age, and nothing is lost
			log.Warn("could not say to the other servers that this one ends", "cause", gone)
		}
	}()
	var inboxKey server.InboxKey
	if inbox != nil {
		if inboxKey, err = folder(c.DataDir).inboxKey(); err != nil {
			return err
		}
	}
	return runParts(ctx, c, pace, hangups, server.Options{
		Service: svc, PublicURL: c.PublicURL, TrustedProxies: c.TrustedProxies, CORSOrigins: c.CORSOrigins, Pages: c.Pages,
		Inbox: inbox, InboxKey: inboxKey, ListenAddr: c.Addr, AdminAddr: c.AdminAddr, Log: log, Metrics: metrics,
	})
}

// mailWay is where mails go: to the SMTP server, else to the dev inbox, else nowhere. The dev inbox
// shows links that take accounts over, so it exists on loopback alone, and only its key opens it.
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

// runParts runs the listeners and the worker until ctx ends or one of them fails; then all stop. The
// admin listener goes last: it tells a load balancer that this node is not ready while the requests
// in flight finish, as it does before the public one accepts any.
func runParts(ctx context.Context, c *config, pace *pacer, hangups <-chan os.Signal, o server.Options) error {
	certificate, err := c.certificate(o.Metrics, o.Log)
	if err != nil {
		return err
	}
	parts, ctx, stopping := c.partsUntil(ctx, o.Log)
	drained, setDrained := context.WithCancel(context.WithoutCancel(ctx))
	listening := make(chan struct{})
	o.Listening, o.Stopping = listening, stopping
	inboxHint := ""
	if o.Inbox != nil {
		inboxHint = c.inboxHint(o.InboxKey)
	}
	reload := c.reloadOn(hangups, o.Service, certificate, o.Log)

	parts.Go(func() error {
		defer setDrained()
		err := listener.Run(ctx, listener.Options{
			Addr: c.Addr, Handler: server.New(o), Certificate: certificate, Log: o.Log, IdleTimeout: c.IdleTimeout, TrustedProxies: c.TrustedProxies,
			Listening: func(at net.Addr) {
				close(listening)
				c.logHints(o.Log, at, inboxHint)
			},
		})
		return named("public listener, LATCHKEY_ADDR", err)
	})
	if c.AdminAddr != "" {
		parts.Go(func() error {
			err := listener.Run(drained, listener.Options{
				Addr: c.AdminAddr, Handler: server.NewAdmin(o), Log: o.Log, WriteTimeout: adminWriteTimeout, Grace: adminGrace,
			})
			return named("admin listener, LATCHKEY_ADMIN_ADDR", err)
		})
	}
	for range outbox.Deliverers - 1 {
		parts.Go(func() error { return named("outbox", worker.Outbox(ctx, o.Service.Outbox(), o.Log)) })
	}
	parts.Go(func() error { return named("outbox", worker.FirstTries(ctx, o.Service.Outbox(), o.Log)) })
	for range logouts.Deliverers {
		parts.Go(func() error { return named("logouts", worker.Logouts(ctx, o.Service.Logouts(), o.Log)) })
		parts.Go(func() error { return named("logouts", worker.SteadyLogouts(ctx, o.Service.Logouts(), o.Log)) })
	}
	if c.DatabaseURL == "" {
		parts.Go(func() error { return named("checkpoints", worker.Checkpoints(ctx, o.Service, o.Log)) })
	}
	parts.Go(func() error { return pace.run(ctx) })
	parts.Go(func() error { return reload(ctx) })
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
