package examples

import (
	"context"
	"fmt"

	"latchkey/client"
)

func verify(ctx context.Context, latchkey *client.Client, code string) error {
	if err := latchkey.VerifyEmail(ctx, "grace@example.com", code); err != nil {
		return err
	}
	fmt.Println("verified")
	return nil
}

// Output:
// verified
