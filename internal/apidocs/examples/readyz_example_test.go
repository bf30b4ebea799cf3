package examples

import (
	"context"
	"fmt"

	"latchkey/client"
)

func readyz(ctx context.Context, latchkey *client.Client) error {
	if err := latchkey.Ready(ctx); err != nil {
		return err
	}
	fmt.Println("ready")
	return nil
}

// Output:
// ready
