package examples

import (
	"context"
	"fmt"

	"latchkey/client"
)

func refresh(ctx context.Context, latchkey *client.Client, refreshToken string) error {
	tokens, err := latchkey.Refresh(ctx, refreshToken)
	if err != nil {
		return err
	}
	fmt.Println("next access token", tokens.AccessToken)
	fmt.Println("next refresh token", tokens.RefreshToken)
	return nil
}

// Output:
// next access token …
// next refresh token …
