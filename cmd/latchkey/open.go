package main

// From the configuration to a store, and on to the rules: the way every command but version,
// openapi and blocklist goes.

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/cobra"

	"latchkey/internal/auth"
	"latchkey/internal/mail"
	"latchkey/internal/password"
	"latchkey/internal/store"
	"latchkey/internal/token"
)

// schemaRule says what a command does about a schema that is not up to date.
type schemaRule int

const (
	wantCurrent schemaRule = iota // refuses an empty or older one
	mayCreate                     // user add: creates it in an empty database
	mayUpgrade                    // serve: creates it; on SQLite upgrades it, after a backup copy
)

// storage is an open database and the master keys that go with it.
type storage struct {
	*store.Store
	master *token.MasterKeys
}

// openStorage opens the database; where there is none yet, it makes the master key, the folder and
// an empty file, in this order, if create says so.
func openStorage(ctx context.Context, c *config, create bool) (storage, error) {
	d := folder(c.DataDir)
	if c.DatabaseURL == "" {
		if !create && !d.hasDatabase() {
			return storage{}, fmt.Errorf("there is no database at %s yet: `latchkey serve` makes one, and so does `latchkey user add`", d.path(databaseFile))
		}
		if _, err := d.prepare(); err != nil {
			return storage{}, err
		}
	}
	master, err := c.masterKeys()
	if err != nil {
		return storage{}, err
	}
	s, err := store.Open(ctx, store.Options{URL: c.DatabaseURL, Path: d.path(databaseFile)})
	if err != nil {
		return storage{}, err
	}
	return storage{s, master}, nil
}

// masterKeys come from the environment, from the file that it names, or from the data folder.
func (c *config) masterKeys() (*token.MasterKeys, error) {
	switch {
	case c.Master != nil:
		return c.Master, nil
	case c.MasterFile != "":
		keys, warning, err := readMasterFile(c.MasterFile)
		c.remark(warning)
		return keys, err
	}
	return folder(c.DataDir).masterKeys()
}

// settleSchema does what rule allows and returns what was applied.
func (s storage) settleSchema(ctx context.Context, c *config, rule schemaRule) (applied []string, err error) {
	pending, have, want, err := s.Plan(ctx)
	if err != nil || len(pending) == 0 {
		return nil, err
	}
	if err := rule.allows(have, want, c.DatabaseURL == ""); err != nil {
		return nil, err
	}
	return s.migrate(ctx, c, have)
}

// allows says whether a schema at have, 0 for none, may be brought to want. On PostgreSQL an upgrade
// is the operator's word alone: other nodes may still run the previous release.
func (rule schemaRule) allows(have, want int, onSQLite bool) error {
	switch {
	case have == 0 && rule == wantCurrent:
		return errors.New("the database is empty: `latchkey serve`, `latchkey migrate` or `latchkey user add` makes its tables")
	case have > 0 && (rule != mayUpgrade || !onSQLite):
		return fmt.Errorf("the database's schema is at %d and this binary needs %d: run `latchkey migrate` first (`latchkey migrate --plan` shows what it does)", have, want)
	}
	return nil
}

// migrate upgrades the schema; a SQLite database with something in it is copied first.
func (s storage) migrate(ctx context.Context, c *config, have int) ([]string, error) {
	if have > 0 && c.DatabaseURL == "" {
		copied := fmt.Sprintf("before-migration-%s.db", time.Now().UTC().Format("20060102T150405.000Z"))
		if err := s.Backup(ctx, folder(c.DataDir).path(copied)); err != nil {
			return nil, fmt.Errorf("copy database before migrating it: %w", err)
		}
	}
	applied, err := s.Migrate(ctx)
	if err != nil {
		return nil, fmt.Errorf("migrate database: %w", err)
	}
	return applied, nil
}

// outlet is where a Service's mails, log lines and counts go, and who is told of its hashing.
type outlet struct {
	sender    mail.Sender
	log       *slog.Logger
	onRefresh func(outcome string)
	onSignIn  func(outcome string)
	onMail    func(outcome string)
	onLogout  func(outcome string)
	onHashing func(hashing bool)
}

// newService puts the rules on top of a database.
func newService(ctx context.Context, c *config, s storage, out outlet) (*auth.Service, error) {
	blocklist, err := c.loadBlocklist()
	if err != nil {
		return nil, err
	}
	pool := password.NewPool(c.HashWorkers, c.HashQueue)
	pool.OnBusy = out.onHashing
	return auth.New(ctx, auth.Options{
		Store: s.Store, Master: s.master,
		Hash: c.hashParams(), Pool: pool,
		Policy:  password.Policy{MinLength: c.PasswordMin, Blocklist: blocklist},
		Clients: c.Clients, Sender: out.sender, MailFrom: c.MailFrom, MailTemplates: c.MailTemplates,
		Issuer: c.PublicURL, Audience: c.Audience, SigningAlg: c.SigningAlg, AccessTyp: c.AccessTyp,
		AccessTTL: c.AccessTTL, RefreshIdle: c.RefreshIdle, RefreshOverall: c.RefreshOverall,
		RefreshGrace: c.RefreshGrace, RefreshRecoveries: c.RefreshRecoveries,
		ResetTTL: c.ResetTTL, VerifyTTL: c.VerifyTTL, SessionsPerUser: c.SessionsPerUser,
		SignupOpen: c.Signup == "open", Throttle: c.Throttle == "on",
		TransportKey: c.TransportKey, AuditDays: c.AuditDays,
		Log: out.log, OnRefresh: out.onRefresh, OnSignIn: out.onSignIn, OnMail: out.onMail, OnLogout: out.onLogout,
	})
}

func (c *config) loadBlocklist() (*password.Blocklist, error) {
	if c.Blocklist == "" {
		return password.EmbeddedBlocklist()
	}
	f, err := os.Open(c.Blocklist)
	if err != nil {
		return nil, fmt.Errorf("LATCHKEY_BLOCKLIST_FILE: %w", err)
	}
	defer f.Close()
	list, err := password.LoadBlocklist(f)
	if err != nil {
		return nil, fmt.Errorf("LATCHKEY_BLOCKLIST_FILE: %w; make one with `latchkey blocklist build`", err)
	}
	return list, nil
}

// noMail is the way out where no SMTP server is configured and no dev inbox may be shown: mails wait
// in the outbox until they expire, and say why.
type noMail struct{}

var errNoMail = errors.New("no mail server is configured: set LATCHKEY_SMTP_URL")

func (noMail) Send(context.Context, mail.Message) (string, error) { return "", errNoMail }

// withService makes a command of work that needs the rules, beside a running server or without one.
func (a *app) withService(rule schemaRule, work func(context.Context, *auth.Service) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, _ []string) error {
		ctx := cmd.Context()
		c, err := loadConfig(a.env, a.configFile)
		if err != nil {
			return err
		}
		s, err := openStorage(ctx, c, rule != wantCurrent)
		if err != nil {
			return err
		}
		err = func() error {
			if _, err := s.settleSchema(ctx, c, rule); err != nil {
				return err
			}
			out := outlet{sender: noMail{}}
			if c.SMTP != nil {
				out.sender = c.SMTP
			}
			svc, err := newService(ctx, c, s, out)
			if err != nil {
				return err
			}
			return work(ctx, svc)
		}()
		return errors.Join(err, s.Close())
	}
}
