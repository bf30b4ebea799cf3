package examples

import (
	"context"
	"fmt"

	"latchkey/api"
	"latchkey/client"
)

func signOut(ctx context.Context, latchkey *client.Client, accessToken string) error {
	if err := latchkey.SignOut(ctx, accessToken, api.SignOutRequest{}); err != nil {
		return err
	}
	fmt.Println("signed out")
	return nil
}

// Output:
// signed out
