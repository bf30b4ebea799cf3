package examples

import (
	"context"
	"fmt"

	"latchkey/api"
	"latchkey/client"
)

func checkPassword(ctx context.Context, latchkey *client.Client) error {
	found, err := latchkey.CheckPassword(ctx, api.PasswordCheckRequest{Password: "correct horse battery staple"})
	if err != nil {
		return err
	}
	fmt.Println(found.Accepted, found.Strength)
	return nil
}

// Output:
// true strong
