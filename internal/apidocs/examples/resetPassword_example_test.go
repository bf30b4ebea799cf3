package examples

import (
	"context"
	"fmt"

	"latchkey/api"
	"latchkey/client"
)

func resetPassword(ctx context.Context, latchkey *client.Client, code string) error {
	err := latchkey.ResetPassword(ctx, "ada@example.com", api.PasswordResetRequest{
		Password: "a staple of correct batteries",
		Token:    code,
	})
	if err != nil {
		return err
	}
	fmt.Println("changed; every session has ended")
	return nil
}

// Output:
// changed; every session has ended
