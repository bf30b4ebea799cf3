package main

// latchkey key: the signing keys, and what still needs an old master key.

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"latchkey/api"
	"latchkey/internal/auth"
	"latchkey/internal/keyring"
)

func (a *app) keyCommands() *cobra.Command {
	return group("key", "Signing keys: list, rotate",
		a.keyCommand("list", "List signing keys, and how much still needs each master key", (*keyring.Keys).Report),
		a.rotateCommand())
}

func (a *app) rotateCommand() *cobra.Command {
	var now bool
	cmd := a.keyCommand("rotate", "Make the next signing key the active one; tokens in use stay good",
		func(keys *keyring.Keys, ctx context.Context) (keyring.Report, error) {
			if now {
				return keys.Replace(ctx)
			}
			return keys.Rotate(ctx)
		})
	cmd.Flags().BoolVar(&now, "now", false, "for a key that was stolen: at once, and refuse every token of the keys before")
	return cmd
}

// signingKey and masterKey are keys as they are printed: never their secret part.
type signingKey struct {
	ID        string   `json:"id"`
	Alg       string   `json:"alg"`
	State     string   `json:"state"`
	CreatedAt api.Time `json:"createdAt"`
	UseFrom   api.Time `json:"useFrom,omitzero"`
	RetireAt  api.Time `json:"retireAt,omitzero"`
}

type masterKey struct {
	ID          string `json:"id"`
	Given       bool   `json:"given"`
	Sessions    int64  `json:"sessions"`
	Mails       int64  `json:"mails"`
	SigningKeys int64  `json:"signingKeys"`
	SealedKeys  int64  `json:"sealedKeys"`
}

func signingKeyOf(k keyring.SigningKey) signingKey {
	return signingKey{k.ID, k.Alg, k.State, at(k.CreatedAt), at(k.UseFrom), at(k.RetireAt)}
}

func masterKeyOf(k keyring.MasterKey) masterKey { return masterKey(k) }

func (k signingKey) columns() []string {
	return []string{k.ID, k.Alg, k.State, stamp(k.CreatedAt), stamp(k.UseFrom), stamp(k.RetireAt)}
}

func (k masterKey) columns() []string {
	given := "yes"
	if !k.Given {
		given = "no"
	}
	return []string{k.ID, given, fmt.Sprint(k.Sessions), fmt.Sprint(k.Mails), fmt.Sprint(k.SigningKeys), fmt.Sprint(k.SealedKeys)}
}

// keyCommand prints the report that ask answers with.
func (a *app) keyCommand(use, short string, ask func(*keyring.Keys, context.Context) (keyring.Report, error)) *cobra.Command {
	cmd := leaf(use, short, nil)
	asJSON := jsonFlag(cmd)
	cmd.RunE = a.withService(wantCurrent, func(ctx context.Context, svc *auth.Service) error {
		report, err := ask(svc.Keys(), ctx)
		if err != nil {
			return err
		}
		signing, master := each(report.Signing, signingKeyOf), each(report.Master, masterKeyOf)
		if *asJSON {
			return a.printJSON(struct {
				Signing []signingKey `json:"signing"`
				Master  []masterKey  `json:"master"`
			}{signing, master})
		}
		if err := listing(a, false, "SIGNING-KEY ALG STATE CREATED USED-FROM RETIRES", signing); err != nil {
			return err
		}
		if err := a.say(""); err != nil {
			return err
		}
		return listing(a, false, "MASTER-KEY GIVEN SESSIONS MAILS SIGNING-KEYS OTHER-KEYS", master)
	})
	return cmd
}
