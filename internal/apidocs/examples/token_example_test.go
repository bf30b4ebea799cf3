package examples

import (
	"context"
	"fmt"

	"latchkey/api"
	"latchkey/client"
)

func token(ctx context.Context, latchkey *client.Client, code, verifier string) error {
	tokens, err := latchkey.ExchangeCode(ctx, api.CodeTokenRequest{
		ClientID:     "web",
		Code:         code,
		RedirectURI:  "https://app.example.com/callback",
		CodeVerifier: verifier,
	})
	if err != nil {
		return err
	}
	fmt.Println("ID token", tokens.IDToken)
	fmt.Println("access token", tokens.AccessToken, "for", tokens.Scope)
	fmt.Println("refresh token", tokens.RefreshToken)
	return nil
}

// Output:
// ID token …
// access token … for openid email
// refresh token …
