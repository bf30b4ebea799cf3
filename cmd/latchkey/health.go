package main

// latchkey health: is the server of this configuration ready? For containers, which have no shell to ask with.

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

const healthTimeout = 5 * time.Second

func (a *app) healthCommand() *cobra.Command {
	cmd := leaf("health", "Ask the running server whether it is ready: exit code 0, or 1 with the reason", nil)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c := new(config)
		// No more than it needs: a clients file that is broken now is nothing to the server, which goes on with the old one.
		if err := c.read(a.env, a.configFile, "LATCHKEY_ADDR", "LATCHKEY_ADMIN_ADDR", "LATCHKEY_TLS_CERT"); err != nil {
			return err
		}
		if err := c.askReady(cmd.Context()); err != nil {
			return err
		}
		return a.say("ready")
	}
	return cmd
}

// askReady asks the admin listener, which says why not, or the public one where that is off.
func (c *config) askReady(ctx context.Context) error {
	scheme, addr := "http", c.AdminAddr
	if addr == "" {
		addr = c.Addr
		if c.TLSCert != "" {
			scheme = "https"
		}
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return err
	}
	if host == "" || host == "0.0.0.0" || host == "::" { // every address: this machine's own among them
		host = "localhost"
	}
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://"+net.JoinHostPort(host, port)+"/readyz", nil)
	if err != nil {
		return err
	}
	// The certificate is for the public name, and nothing secret is asked or told. No proxy of the environment is
	// between a server and itself.
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	res, err := client.Do(r)
	if err != nil {
		return fmt.Errorf("no server answers on %s: %w", addr, errors.Unwrap(err))
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		why, _ := io.ReadAll(io.LimitReader(res.Body, 1024)) // only to be helpful
		return fmt.Errorf("the server on %s answers %d: %s", addr, res.StatusCode, cmp.Or(strings.TrimSpace(string(why)), "no reason given"))
	}
	return nil
}
