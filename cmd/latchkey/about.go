package main

// latchkey blocklist, openapi and version: what needs neither database nor configuration.

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"

	"github.com/spf13/cobra"

	"latchkey/api"
	"latchkey/internal/password"
	"latchkey/internal/server"
)

func (a *app) versionCommand() *cobra.Command {
	cmd := leaf("version", "Print the version", nil)
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(*cobra.Command, []string) error {
		release, _ := server.Build()
		if *asJSON {
			return a.printJSON(map[string]string{"version": release, "go": runtime.Version(), "platform": runtime.GOOS + "/" + runtime.GOARCH})
		}
		return a.say("latchkey %s %s %s/%s", release, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	}
	return cmd
}

func (a *app) openAPICommand() *cobra.Command {
	return leaf("openapi", "Print the OpenAPI 3.1 document of the API", func(*cobra.Command, []string) error {
		_, err := a.stdout.Write(api.OpenAPI())
		return err
	})
}

func (a *app) blocklistCommands() *cobra.Command {
	return group("blocklist", "The filter of passwords that nobody may choose", a.blocklistBuild())
}

func (a *app) blocklistBuild() *cobra.Command {
	var from, to string
	cmd := leaf("build", "Make a filter of a password list, one a line, for LATCHKEY_BLOCKLIST_FILE", nil)
	required(cmd, &from, "from", "the list; - is standard input")
	required(cmd, &to, "to", "the filter's file, which must not exist")
	cmd.RunE = func(*cobra.Command, []string) (err error) {
		list := a.stdin
		if from != "-" {
			f, err := os.Open(from)
			if err != nil {
				return fmt.Errorf("read password list: %w", err)
			}
			defer f.Close()
			list = f
		}
		count, err := writeNew(to, func(w io.Writer) (int, error) { return password.BuildBlocklist(w, readerWithoutMark(list)) })
		if err != nil {
			return fmt.Errorf("build blocklist: %w", err)
		}
		return a.say("%d passwords in %s: set LATCHKEY_BLOCKLIST_FILE=%s", count, to, to)
	}
	return cmd
}

// writeNew makes file with what write says, or leaves no file.
func writeNew(file string, write func(io.Writer) (int, error)) (count int, err error) {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return 0, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(file))
		}
	}()
	buffered := bufio.NewWriter(f)
	count, err = write(buffered)
	return count, errors.Join(err, buffered.Flush(), f.Sync(), f.Close())
}
