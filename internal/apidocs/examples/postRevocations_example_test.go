package examples

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
)

func postRevocations(address, clientSecret string) error {
	response, err := http.PostForm(address+"/oauth/revocations", url.Values{
		"client_id": {"reports"}, "client_secret": {clientSecret},
	})
	if err != nil {
		return err
	}
	defer response.Body.Close()
	jwt, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	fmt.Println(string(jwt))
	return nil
}

// Output:
// eyJ…
