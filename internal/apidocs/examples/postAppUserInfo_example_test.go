package examples

import (
	"fmt"
	"net/http"
)

func postAppUserInfo(url, accessToken string) error {
	request, err := http.NewRequest(http.MethodPost, url+"/oauth/userinfo", nil)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+accessToken)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	fmt.Println(response.Status)
	return nil
}

// Output:
// 200 OK
