package examples

import (
	"context"
	"fmt"

	"latchkey/client"
)

func consents(ctx context.Context, latchkey *client.Client, accessToken string) error {
	consents, err := latchkey.Consents(ctx, accessToken)
	if err != nil {
		return err
	}
	for _, c := range consents {
		fmt.Println(c.ClientAlias, "may have", c.Scopes)
	}
	return nil
}

// Output:
// calendar may have [openid email]
