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
	fmt.Println("a mail is on its way")
	return nil
}

// Output:
// a mail is on its way
