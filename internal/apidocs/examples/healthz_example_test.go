package examples

import (
	"fmt"
	"net/http"
)

func healthz(url string) error {
	response, err := http.Get(url + "/healthz")
	if err != nil {
		return err
	}
	defer response.Body.Close()
	fmt.Println(response.Status)
	return nil
}

// Output:
// 200 OK
