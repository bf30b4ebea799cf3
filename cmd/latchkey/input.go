package main

// What people type: passwords and confirmations. A password never comes from an argument, where
// other users of the machine and the shell's history would see it.

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// passwordInputLimit is far above any password that the policy takes; it only bounds memory.
const passwordInputLimit = 64 << 10

var errNoPassword = errors.New("no terminal to ask for the password: give it on standard input with --password-stdin")

func passwordFlag(cmd *cobra.Command, into *bool) {
	cmd.Flags().BoolVar(into, "password-stdin", false, "read the password from standard input (one trailing newline is dropped)")
}

// readPassword reads the password from standard input where the flag says so, else asks for it twice
// without echo. ok is false where nobody can be asked.
func (a *app) readPassword(ctx context.Context, fromStdin bool) (password string, ok bool, err error) {
	if fromStdin {
		raw, err := io.ReadAll(io.LimitReader(a.stdin, passwordInputLimit))
		if err != nil {
			return "", false, fmt.Errorf("read password: %w", err)
		}
		text, newline := strings.CutSuffix(string(raw), "\n")
		if newline {
			text = strings.TrimSuffix(text, "\r")
		}
		return text, true, checkPiped(text)
	}
	if !isTerminal(a.stdin) {
		return "", false, nil
	}
	first, err := a.ask(ctx, "Password: ")
	if err != nil {
		return "", false, err
	}
	second, err := a.ask(ctx, "Again: ")
	if err != nil {
		return "", false, err
	}
	if first != second {
		return "", false, errors.New("the two passwords differ")
	}
	return first, true, nil
}

// checkPiped refuses what nobody can type into a sign-in form: it would be a password that never works.
func checkPiped(password string) error {
	switch {
	case strings.HasPrefix(password, string(byteOrderMark)):
		return errors.New("the password begins with a byte order mark: write the file without one")
	case strings.Contains(password, "\n"):
		return errors.New("there is a line feed inside the password: give one line, of which one trailing newline is dropped")
	}
	return nil
}

// ask reads a line from the terminal without showing it. Ctrl-C gives the terminal its echo back.
func (a *app) ask(ctx context.Context, prompt string) (string, error) {
	fd := int(a.stdin.(*os.File).Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return "", fmt.Errorf("prepare terminal: %w", err)
	}
	fmt.Fprint(a.stderr, prompt)
	defer fmt.Fprintln(a.stderr)
	line, err := unlessInterrupted(ctx, func() (string, error) {
		line, err := term.ReadPassword(fd)
		return string(line), err
	})
	if ctx.Err() != nil {
		err = errors.Join(err, term.Restore(fd, before))
	}
	return line, err
}

// yesFlag is the flag of every command that destroys what nothing brings back: see confirm.
func yesFlag(cmd *cobra.Command) *bool {
	return cmd.Flags().Bool("yes", false, "do not ask; needed where nobody is at a terminal")
}

// confirm asks a person, unless --yes was given. What comes through a pipe is no answer: a script's next line, or
// the rest of a list, would be taken for one.
func (a *app) confirm(ctx context.Context, question string, yes bool) error {
	if yes {
		return nil
	}
	if !isTerminal(a.stdin) {
		return usageError{fmt.Errorf("%s Nobody is at a terminal to ask: say --yes. Nothing was changed", question)}
	}
	fmt.Fprintf(a.stderr, "%s [y/N] ", question)
	line, err := unlessInterrupted(ctx, func() (string, error) {
		return bufio.NewReader(a.stdin).ReadString('\n')
	})
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if answer := strings.ToLower(strings.TrimSpace(line)); answer != "y" && answer != "yes" {
		return errors.New("nothing was changed")
	}
	return nil
}

// unlessInterrupted waits for read, which nothing can cut short, or for Ctrl-C; the process ends soon
// after that, and read with it.
func unlessInterrupted(ctx context.Context, read func() (string, error)) (line string, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		line, err = read()
	}()
	select {
	case <-done:
		return line, err
	case <-ctx.Done():
		return "", errors.New("interrupted")
	}
}
