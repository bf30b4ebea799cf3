package main

// latchkey migrate and backup: the database as a whole.

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// withStorage makes a command of work that needs the database but not the rules: it may be of an
// older schema.
func (a *app) withStorage(create bool, work func(context.Context, *config, storage) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, _ []string) error {
		c, err := loadConfig(a.env, a.configFile)
		if err != nil {
			return err
		}
		s, err := openStorage(cmd.Context(), c, create)
		if err != nil {
			return err
		}
		return errors.Join(work(cmd.Context(), c, s), s.Close())
	}
}

func (a *app) migrateCommand() *cobra.Command {
	cmd := leaf("migrate", "Upgrade the database's schema; on SQLite after a copy, as serve does by itself", nil)
	planOnly := cmd.Flags().Bool("plan", false, "only say what would be done")
	asJSON := jsonFlag(cmd)
	upgrade := a.withStorage(true, func(ctx context.Context, c *config, s storage) error {
		_, have, want, err := s.Plan(ctx)
		if err != nil {
			return err
		}
		applied, err := s.migrate(ctx, c, have)
		if err != nil {
			return err
		}
		return a.sayMigrations(*asJSON, "applied", migrations{have, want, applied})
	})
	plan := a.withStorage(false, func(ctx context.Context, _ *config, s storage) error {
		pending, have, want, err := s.Plan(ctx)
		if err != nil {
			return err
		}
		return a.sayMigrations(*asJSON, "to apply:", migrations{have, want, pending})
	})
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if *planOnly {
			return plan(cmd, args)
		}
		return upgrade(cmd, args)
	}
	return cmd
}

// migrations are the steps that lead, or have led, from one schema to another.
type migrations struct {
	From  int      `json:"from"`
	To    int      `json:"to"`
	Steps []string `json:"steps"`
}

func (a *app) sayMigrations(asJSON bool, verb string, m migrations) error {
	switch {
	case asJSON:
		m.Steps = append([]string{}, m.Steps...) // [] and not null for none
		return a.printJSON(m)
	case len(m.Steps) == 0:
		return a.say("the schema is up to date at %d", m.To)
	}
	return a.say("%s %s (schema %d)", verb, strings.Join(m.Steps, ", "), m.To)
}

func (a *app) backupCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "backup FILE", Short: "Copy the SQLite database to FILE while it is in use", Args: cobra.ExactArgs(1)}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if name := strings.TrimSpace(args[0]); name == "" || name == "-" {
			return usageError{fmt.Errorf("backup FILE is %q: write the name of a file that does not exist; a database cannot be copied to standard output", args[0])}
		}
		return a.withStorage(false, func(ctx context.Context, c *config, s storage) error {
			if c.DatabaseURL != "" {
				return errors.New("backup copies SQLite databases: use pg_dump or your PostgreSQL's own backup")
			}
			if err := s.Backup(ctx, args[0]); err != nil {
				return err
			}
			return a.say("copied to %s; keep the master key too, in another place: without it the copy opens no session", args[0])
		})(cmd, nil)
	}
	return cmd
}
