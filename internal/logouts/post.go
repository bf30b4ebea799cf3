package logouts

// The one request that is made to an app, and how its answer is read.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	tryTimeout     = 10 * time.Second
	maxHeaderBytes = 16 << 10
	maxAnswer      = 4 << 10 // read of a body; nothing is done with it
)

// poster posts logout tokens: to the address that it is given and no other, so through no proxy, and following no redirect.
type poster struct{ client *http.Client }

func newPoster(timeout time.Duration) poster {
	return poster{&http.Client{
		Timeout: timeout,
		Transport: &http.Transport{
			// A connection that the app has closed meanwhile would leave it unknown whether the app was told.
			DisableKeepAlives:      true,
			MaxResponseHeaderBytes: maxHeaderBytes,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// refusedError is an answer that no later try can better: Back-Channel Logout §2.8.
type refusedError struct{ error }

// post sends one logout token (Back-Channel Logout §2.5). It is nil where the app was told, and a refusedError where the
// app says that the token is not good; no other error is final. None says what the app wrote, or the address.
func (p poster) post(ctx context.Context, uri, raw string) error {
	form := url.Values{"logout_token": {raw}}.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, uri, strings.NewReader(form))
	if err != nil {
		return withoutAddress(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("User-Agent", "Latchkey")
	res, err := p.client.Do(req)
	if err != nil {
		return withoutAddress(err)
	}
	defer func() { _ = res.Body.Close() }()
	_, _ = io.CopyN(io.Discard, res.Body, maxAnswer) // an app that still writes is not cut off; the status has said it all
	switch res.StatusCode {
	case http.StatusOK, http.StatusNoContent:
		return nil
	case http.StatusBadRequest:
		return refusedError{errors.New("the app answered 400")}
	}
	return fmt.Errorf("the app answered %d", res.StatusCode)
}

// withoutAddress leaves out of an error what net/http adds: the address, whose query may hold a secret of the operator's.
func withoutAddress(err error) error {
	if of, ok := errors.AsType[*url.Error](err); ok {
		return of.Err
	}
	return err
}
