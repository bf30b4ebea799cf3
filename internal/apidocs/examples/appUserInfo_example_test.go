package examples

import (
	"context"
	"fmt"

	"latchkey/client"
)

func appUserInfo(ctx context.Context, latchkey *client.Client, accessToken string) error {
	user, err := latchkey.AppUserInfo(ctx, accessToken)
	if err != nil {
		return err
	}
	fmt.Println(user.Subject, user.Email)
	return nil
}

// Output:
// … ada@example.com
