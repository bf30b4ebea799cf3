package examples

import (
	"context"
	"fmt"

	"latchkey/client"
)

func endSession(ctx context.Context, latchkey *client.Client, accessToken, sessionID string) error {
	if err := latchkey.EndSession(ctx, accessToken, sessionID); err != nil {
		return err
	}
	fmt.Println("ended")
	return nil
}

// Output:
// ended
