package examples

import (
	"context"
	"fmt"

	"latchkey/client"
)

func revocations(ctx context.Context, latchkey *client.Client, clientSecret string) error {
	jwt, err := latchkey.Revocations(ctx, "reports", clientSecret, "")
	if err != nil {
		return err
	}
	fmt.Println(jwt)
	return nil
}

// Output:
// eyJ…
