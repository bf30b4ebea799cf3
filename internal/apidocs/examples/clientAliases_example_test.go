package examples

import (
	"context"
	"fmt"

	"latchkey/client"
)

func clientAliases(ctx context.Context, latchkey *client.Client) error {
	clients, err := latchkey.ClientAliases(ctx)
	if err != nil {
		return err
	}
	for _, c := range clients {
		fmt.Println(c.ClientAlias, "at", c.ClientURL)
	}
	return nil
}

// Output:
// web at https://app.example.com
// reports at https://reports.example.com
// calendar at https://calendar.example.com
