package examples

import (
	"context"
	"fmt"

	"latchkey/api"
	"latchkey/client"
)

func forgotPassword(ctx context.Context, latchkey *client.Client) error {
	requested, err := latchkey.ForgotPassword(ctx, api.ForgotPasswordRequest{Email: "ada@example.com"})
	if err != nil {
		return err
	}
	fmt.Println("if there is an account, an email is on its way to", requested.Email)
	return nil
}

// Output:
// if there is an account, an email is on its way to ada@example.com
