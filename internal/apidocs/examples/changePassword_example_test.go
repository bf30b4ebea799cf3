package examples

import (
	"context"
	"fmt"

	"latchkey/api"
	"latchkey/client"
)

func changePassword(ctx context.Context, latchkey *client.Client, accessToken string) error {
	err := latchkey.ChangePassword(ctx, accessToken, api.ChangePasswordRequest{
		Email:       "ada@example.com",
		OldPassword: "correct horse battery staple",
		NewPassword: "a staple of correct batteries",
	})
	if err != nil {
		return err
	}
	fmt.Println("changed; every other session has ended")
	return nil
}

// Output:
// changed; every other session has ended
