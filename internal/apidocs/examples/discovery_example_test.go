package examples

import (
	"context"
	"fmt"

	"latchkey/client"
)

func discovery(ctx context.Context, latchkey *client.Client) error {
	document, err := latchkey.Discovery(ctx)
	if err != nil {
		return err
	}
	fmt.Println(document.Issuer, "has its keys at", document.JWKSURI)
	return nil
}

// Output:
// http://localhost:8080 has its keys at http://localhost:8080/.well-known/jwks.json
