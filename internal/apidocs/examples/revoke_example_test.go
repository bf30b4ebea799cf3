package examples

import (
	"context"
	"fmt"

	"latchkey/client"
)

func revoke(ctx context.Context, latchkey *client.Client, refreshToken string) error {
	if err := latchkey.Revoke(ctx, refreshToken); err != nil {
		return err
	}
	fmt.Println("revoked")
	return nil
}

// Output:
// revoked
