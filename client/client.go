// Package client signs people in to Go programs that run on their machine, and calls a Latchkey server's API.
//
// [SignIn] signs somebody in through the browser and gives a [Session], which keeps its tokens in a file and refreshes
// them.
//
// A [Client] is the API itself. Each method is one request, and none is retried. An answer that is not a success comes
// back as an *Error, whose code is one of package api's. The caller keeps the access token and the refresh token. The
// Client keeps device tokens, one for each account that signs in through it, and shows an account's own when it signs in
// again: see [Device] for what they do, and for how a program saves them.
//
// A Client therefore stands for one device. A service that signs other people in must not share one among them, or a
// visitor who guesses at an account counts as its owner's device: give each of them a Device of their own, or none, by
// [Client.On].
//
// Methods and fields are only added, here and in package api, and so are error codes: name the fields that you set, and
// treat a code that you do not know by the answer's status.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"latchkey/api"
)

// Client is one server, as one device calls it. It may be used by many goroutines at once.
type Client struct {
	base   string
	http   *http.Client
	device *Device
}

// New returns a client of the server at baseURL ("https://id.example.org"), with a new Device. httpClient may be nil.
func New(baseURL string, httpClient *http.Client) *Client {
	if httpClient == nil {
		httpClient = http.DefaultClient
	}
	return &Client{base: strings.TrimRight(baseURL, "/"), http: httpClient, device: new(Device)}
}

// On returns a client of the same server that calls from another device. It shares the connections. With nil it keeps
// and shows no device tokens, so the server takes it for a stranger each time.
func (cl *Client) On(device *Device) *Client {
	other := *cl
	other.device = device
	return &other
}

// Error is a refusal or a failure that the server told us of.
type Error struct {
	Status     int    // 0: told by way of the browser (RFC 6749 §4.1.2.1)
	Code       string // stable; under /oauth the error of RFC 6749 §5.2
	Message    string // for people
	RequestID  string // names the request in the server's log
	Fields     []api.Field
	RetryAfter time.Duration // 0: the server did not say
}

func (e *Error) Error() string {
	if e.Status == 0 {
		return e.Code + ": " + e.Message
	}
	return fmt.Sprintf("%d %s: %s (request %s)", e.Status, e.Code, e.Message, e.RequestID)
}

// CodeOf returns the code of an *Error in err's chain, else "".
func CodeOf(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return ""
}

// call is one request.
type call struct {
	method, path string
	account      string // whose device token is shown and kept: an email address, or "" for nobody's
	bearer       string
	basic        *url.Userinfo
	contentType  string
	body         []byte
	answered     *http.Header // where the headers of a success go; nil: nowhere
}

func get(path, bearer string) call { return call{method: http.MethodGet, path: path, bearer: bearer} }

func postJSON(path, bearer string, in any) (call, error) {
	body, err := json.Marshal(in)
	if err != nil {
		return call{}, fmt.Errorf("encode request: %w", err)
	}
	return call{method: http.MethodPost, path: path, bearer: bearer, contentType: "application/json", body: body}, nil
}

func postForm(path string, values url.Values) call {
	return call{method: http.MethodPost, path: path, contentType: "application/x-www-form-urlencoded", body: []byte(values.Encode())}
}

// maxAnswer bounds what is read of an answer.
const maxAnswer = 4 << 20

// do sends c and decodes a success into out, unless that is nil.
func (cl *Client) do(ctx context.Context, c call, out any) error {
	req, err := http.NewRequestWithContext(ctx, c.method, cl.base+c.path, bytes.NewReader(c.body))
	if err != nil {
		return fmt.Errorf("make request: %w", err)
	}
	if c.contentType != "" {
		req.Header.Set("Content-Type", c.contentType)
	}
	if c.bearer != "" {
		req.Header.Set("Authorization", "Bearer "+c.bearer)
	}
	if c.basic != nil {
		secret, _ := c.basic.Password()
		req.SetBasicAuth(url.QueryEscape(c.basic.Username()), url.QueryEscape(secret)) // RFC 6749 §2.3.1
	}
	if token := cl.device.shows(c.account); token != "" {
		req.Header.Set(api.DeviceHeader, token)
	}
	res, err := cl.http.Do(req)
	if err != nil {
		return fmt.Errorf("send request: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	if res.StatusCode/100 != 2 {
		return asError(res, body)
	}
	cl.device.keep(c.account, res.Header.Get(api.DeviceHeader))
	if c.answered != nil {
		*c.answered = res.Header
	}
	if out == nil {
		return nil
	}
	if raw, ok := out.(*string); ok { // what is no JSON
		*raw = string(body)
		return nil
	}
	if err := json.Unmarshal(body, out); err != nil {
		return fmt.Errorf("decode answer: %w", err)
	}
	return nil
}

// asError reads every form of error: ours, OAuth's, and the plain text that a 503 of the token endpoint has. Of an answer
// that is none of these (a proxy's page) it reads only the status.
func asError(res *http.Response, body []byte) error {
	seconds, _ := strconv.Atoi(res.Header.Get("Retry-After"))
	e := &Error{
		Status: res.StatusCode, Code: "unknown", Message: res.Status,
		RequestID: res.Header.Get("X-Request-Id"), RetryAfter: time.Duration(seconds) * time.Second,
	}
	var ours api.Error
	var oauth api.OAuthError
	switch {
	case json.Unmarshal(body, &ours) == nil && ours.Code != "":
		e.Code, e.Message, e.Fields = ours.Code, ours.Message, ours.Errors
	case json.Unmarshal(body, &oauth) == nil && oauth.Error != "":
		e.Code, e.Message = oauth.Error, oauth.ErrorDescription
	case res.StatusCode >= 500 && res.Header.Get(api.CodeHeader) != "":
		e.Code, e.Message = res.Header.Get(api.CodeHeader), strings.TrimSpace(string(body))
	}
	return e
}

// data unwraps the envelope.
func data[T any](ctx context.Context, cl *Client, c call) (T, error) {
	var out api.Response[T]
	err := cl.do(ctx, c, &out)
	return out.Data, err
}
