package examples

import (
	"context"
	"fmt"

	"latchkey/client"
)

func jwks(ctx context.Context, latchkey *client.Client) error {
	keys, err := latchkey.JWKS(ctx)
	if err != nil {
		return err
	}
	fmt.Println(string(keys))
	return nil
}

// Output:
// {"keys":[{…"kty":"EC",…}]}
