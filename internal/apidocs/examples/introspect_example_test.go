package examples

import (
	"context"
	"fmt"

	"latchkey/client"
)

func introspect(ctx context.Context, latchkey *client.Client, clientSecret, accessToken string) error {
	token, err := latchkey.Introspect(ctx, "reports", clientSecret, accessToken)
	if err != nil {
		return err
	}
	fmt.Println("active:", token.Active)
	fmt.Println("of", token.Username, "through", token.ClientID)
	return nil
}

// Output:
// active: true
// of ada@example.com through web
