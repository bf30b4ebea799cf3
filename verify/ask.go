package verify

// One request to the issuer, and what its answer must be.

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// get returns body and headers of a 200 that is at most so many bytes long. basic may be nil.
func (i *issuer) get(ctx context.Context, path string, basic *url.Userinfo, atMost int64) ([]byte, http.Header, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, i.url+path, nil)
	if err != nil {
		return nil, nil, err
	}
	if basic != nil {
		secret, _ := basic.Password()
		r.SetBasicAuth(url.QueryEscape(basic.Username()), url.QueryEscape(secret)) // RFC 6749 §2.3.1
	}
	res, err := i.http.Do(r)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(res.Body, atMost+1))
	switch {
	case err != nil:
		return nil, nil, fmt.Errorf("read the answer: %w", err)
	case res.StatusCode != http.StatusOK:
		return nil, nil, &answered{res.StatusCode}
	case int64(len(body)) > atMost:
		return nil, nil, fmt.Errorf("the answer is longer than %d bytes", atMost)
	}
	return body, res.Header, nil
}

// answered is a status that is not 200.
type answered struct{ status int }

func (a *answered) Error() string {
	switch a.status {
	case http.StatusUnauthorized:
		return "401: the issuer has no such client, or another secret for it"
	case http.StatusForbidden:
		return "403: the issuer's clients file does not say feed = true of the client"
	default:
		return fmt.Sprintf("%d %s", a.status, http.StatusText(a.status))
	}
}
