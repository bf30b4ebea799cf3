package examples

import (
	"context"
	"fmt"

	"latchkey/client"
)

func revokeConsent(ctx context.Context, latchkey *client.Client, accessToken string) error {
	if err := latchkey.RevokeConsent(ctx, accessToken, "calendar"); err != nil {
		return err
	}
	fmt.Println("taken back")
	return nil
}

// Output:
// taken back
