package main

// latchkey theme preview: what pages and mails look like, without a server's accounts behind them.

import (
	"fmt"
	"net"

	"github.com/spf13/cobra"

	"latchkey/internal/listener"
	"latchkey/internal/server"
)

func (a *app) themeCommands() *cobra.Command {
	return group("theme", "Look at pages and mails", a.themePreviewCommand())
}

func (a *app) themePreviewCommand() *cobra.Command {
	var addr string
	cmd := leaf("preview", "Serve every page and mail with made-up contents, for each client and language", nil)
	cmd.Flags().StringVar(&addr, "addr", "127.0.0.1:8090", "`address` to serve them on")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := loadConfig(a.env, a.configFile)
		if err != nil {
			return err
		}
		return listener.Run(cmd.Context(), listener.Options{
			Addr: addr, Handler: server.NewPreview(c.Pages, c.MailTemplates, c.Clients), Log: newLog(c.Log, a.stderr),
			Listening: func(at net.Addr) { fmt.Fprintf(a.stdout, "every page and mail: http://%s/ (end with Ctrl-C)\n", at) },
		})
	}
	return cmd
}
