package examples

import (
	"context"
	"fmt"

	"latchkey/api"
	"latchkey/client"
)

func verificationMail(ctx context.Context, latchkey *client.Client) error {
	err := latchkey.RequestVerification(ctx, api.VerificationMailRequest{Email: "grace@example.com"})
	if err != nil {
		return err
	}
	fmt.Println("an email is on its way")
	return nil
}

// Output:
// an email is on its way
