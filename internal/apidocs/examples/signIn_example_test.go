package examples

import (
	"context"
	"fmt"

	"latchkey/api"
	"latchkey/client"
)

func signIn(ctx context.Context, latchkey *client.Client) error {
	tokens, err := latchkey.SignIn(ctx, api.SignInRequest{
		Email:    "ada@example.com",
		Password: "correct horse battery staple",
	})
	if err != nil {
		return err
	}
	fmt.Println("access token", tokens.AccessToken, "for", tokens.ExpiresIn, "seconds")
	fmt.Println("refresh token", tokens.RefreshToken)
	return nil
}

// Output:
// access token … for … seconds
// refresh token …
