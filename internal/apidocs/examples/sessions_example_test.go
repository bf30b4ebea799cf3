package examples

import (
	"context"
	"fmt"

	"latchkey/client"
)

func sessions(ctx context.Context, latchkey *client.Client, accessToken, userID string) error {
	sessions, err := latchkey.Sessions(ctx, accessToken, userID)
	if err != nil {
		return err
	}
	for _, s := range sessions {
		fmt.Println(s.ID, "from", s.Client.IP, "current:", s.Current)
	}
	return nil
}

// Output:
// … from 127.0.0.1 current: false
// … from 127.0.0.1 current: true
