package server

// The feed of ended sessions, which resource servers poll. A poll waits here while there is nothing new to tell.

import (
	"net/http"
	"net/url"
	"time"

	"latchkey/internal/auth"
)

// pollTime is how long a poll may take: 25 seconds until there is an answer, and then as long as the listener gives others.
const pollTime = 55 * time.Second

// feedReader asks for a confidential client that the clients file lets read the feed.
func feedReader(x *exchange) error {
	if err := x.authenticateClient(false); err != nil {
		return err
	}
	if !x.client.Feed {
		return refuse(auth.CodeUnauthorizedClient)
	}
	return nil
}

func (s *server) revocations(x *exchange) (reply, error) {
	given, err := x.feedParameters()
	if err != nil {
		return nil, err
	}
	// The one error is that there is no connection, as below a test's recorder, and so no limit.
	_ = http.NewResponseController(x.ResponseWriter).SetWriteDeadline(time.Now().Add(pollTime))
	told, err := s.auth.Feed().Poll(x.r.Context(), x.client.Alias, given.Get("after"), s.stopping)
	if closed(s.stopping) {
		x.Header().Set("Connection", "close") // so that the next poll finds another node
	}
	if err != nil {
		return nil, err
	}
	return func(x *exchange) { x.send(http.StatusOK, "application/jwt", told) }, nil
}

// feedParameters are in the query, or in the form with the secret.
func (x *exchange) feedParameters() (url.Values, error) {
	if x.r.Method == http.MethodPost {
		return x.oauthForm().values, x.oauthForm().err
	}
	return parseValues(x.r.URL.RawQuery)
}
