package examples

import (
	"context"
	"fmt"

	"latchkey/api"
	"latchkey/client"
)

func signUp(ctx context.Context, latchkey *client.Client, code string) error {
	userID, err := latchkey.SignUp(ctx, api.SignUpRequest{
		Email:            "grace@example.com",
		Password:         "correct horse battery staple",
		FirstName:        "Grace",
		LastName:         "Hopper",
		VerificationCode: code,
	})
	if err != nil {
		return err
	}
	fmt.Println("signed up as user", userID)
	return nil
}

// Output:
// signed up as user …
