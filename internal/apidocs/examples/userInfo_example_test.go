package examples

import (
	"context"
	"fmt"

	"latchkey/client"
)

func userInfo(ctx context.Context, latchkey *client.Client, accessToken string) error {
	user, err := latchkey.UserInfo(ctx, accessToken)
	if err != nil {
		return err
	}
	fmt.Println(user.Name, user.Email)
	return nil
}

// Output:
// Ada Lovelace ada@example.com
