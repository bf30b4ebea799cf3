package examples

import (
	"context"
	"fmt"

	"latchkey/client"
)

func authorizationServer(ctx context.Context, latchkey *client.Client) error {
	document, err := latchkey.AuthorizationServer(ctx)
	if err != nil {
		return err
	}
	fmt.Println(document.Issuer, "gives tokens at", document.TokenEndpoint)
	return nil
}

// Output:
// http://localhost:8080 gives tokens at http://localhost:8080/oauth/token
