// Command latchkey is the sign-in and session server and the tools beside it. It alone reads the
// environment, wires the parts together and starts goroutines; every rule lives below it.
//
// Exit codes: 0 done, 1 failed with one sentence on standard error, 2 wrong usage.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"latchkey/internal/server"
)

func main() { os.Exit(runProcess()) }

// runProcess is run with the process's own surroundings; the tests run it as a command too.
func runProcess() int {
	syscall.Umask(0o077) // whatever a command writes (database, backup, key, filter) is its owner's
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal does not wait for the first
	err := run(ctx, os.Args[1:], os.Environ(), os.Stdin, os.Stdout, os.Stderr)
	switch {
	case err == nil:
		return 0
	case errors.As(err, new(usageError)):
		fmt.Fprintf(os.Stderr, "latchkey: %v\n", err)
		return 2
	case !errors.As(err, new(loggedError)):
		fmt.Fprintf(os.Stderr, "latchkey: %v\n", sentence(err))
	}
	return 1
}

// app is what every command can reach.
type app struct {
	env            []string
	stdin          io.Reader
	stdout, stderr io.Writer
	configFile     string
}

// usageError is a command line that cannot be meant.
type usageError struct{ error }

// loggedError has been said in the log already.
type loggedError struct{ error }

// run executes one command line. Whatever fails before a command begins its own work is wrong usage.
func run(ctx context.Context, args, env []string, stdin io.Reader, stdout, stderr io.Writer) error {
	a := &app{env: env, stdin: stdin, stdout: stdout, stderr: stderr}
	root := a.rootCommand()
	began := false
	forEachCommand(root, func(cmd *cobra.Command) {
		work := cmd.RunE
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			began = true
			return work(cmd, args)
		}
	})
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(ctx)
	if err != nil && !began {
		return usageError{fmt.Errorf("%w (see `%s --help`)", err, cmd.CommandPath())}
	}
	return err
}

func forEachCommand(cmd *cobra.Command, do func(*cobra.Command)) {
	do(cmd)
	for _, child := range cmd.Commands() {
		forEachCommand(child, do)
	}
}

func (a *app) rootCommand() *cobra.Command {
	root := group("latchkey", "Self-hosted sign-in and session server",
		a.serveCommand(), a.healthCommand(), a.userCommands(), a.sessionCommands(), a.keyCommands(), a.mailCommands(), a.logoutCommands(), a.auditCommands(), a.themeCommands(),
		a.blocklistCommands(), a.migrateCommand(), a.backupCommand(), a.openAPICommand(), a.versionCommand())
	root.SilenceErrors, root.SilenceUsage = true, true
	release, _ := server.Build()
	root.Version = release
	root.SetVersionTemplate("latchkey {{.Version}}\n")
	root.SetFlagErrorFunc(suggestFlag)
	root.PersistentFlags().StringVar(&a.configFile, "config", "", "TOML `file` with the keys of `latchkey serve --help`; the environment wins over it")
	return root
}

// group is a command that only holds others: said alone, it shows them and is wrong usage.
func group(use, short string, children ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short, Args: noSuchCommand, SuggestionsMinimumDistance: 2}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cmd.SetOut(cmd.ErrOrStderr())
		if err := cmd.Help(); err != nil {
			return err
		}
		return usageError{fmt.Errorf("missing subcommand: `%s COMMAND`", cmd.CommandPath())}
	}
	cmd.AddCommand(children...)
	return cmd
}

// noSuchCommand says which command was probably meant.
func noSuchCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	meant := ""
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		meant = fmt.Sprintf(": did you mean `%s %s`?", cmd.CommandPath(), near[0])
	}
	return fmt.Errorf("unknown command %q for %q%s", args[0], cmd.CommandPath(), meant)
}

// flagNames finds a command's flags in its help.
var flagNames = regexp.MustCompile(`(?m)^ +(?:-[a-z], )?--([a-z-]+)`)

// suggestFlag says which flag was probably meant.
func suggestFlag(cmd *cobra.Command, err error) error {
	_, said, ok := strings.Cut(err.Error(), "unknown flag: --")
	if !ok {
		return err
	}
	best, distance := "", len(said)/2+1
	for _, flag := range flagNames.FindAllStringSubmatch(cmd.Flags().FlagUsages(), -1) {
		if d := editDistance(said, flag[1]); d < distance {
			best, distance = flag[1], d
		}
	}
	if best == "" {
		return err
	}
	return fmt.Errorf("%w: did you mean --%s?", err, best)
}

// leaf is a command that does something and takes no arguments but flags.
func leaf(use, short string, work func(cmd *cobra.Command, args []string) error) *cobra.Command {
	return &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs, RunE: work}
}

// required adds a flag that must be given.
func required(cmd *cobra.Command, into *string, name, usage string) {
	cmd.Flags().StringVar(into, name, "", usage)
	if err := cmd.MarkFlagRequired(name); err != nil {
		panic(err) // the flag was added a line above
	}
}
