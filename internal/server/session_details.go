package server

// The one answer that the existing web client takes its tokens from. It is there only where a client has a
// nextauth_secret, only for that application's own pages, and never across origins.

import (
	"errors"
	"slices"
	"strings"
	"time"

	"latchkey/api"
	"latchkey/internal/auth"
)

const detailsPath = "/auth/sessionDetails"

// existingClientRoutes are no part of the API's document: nobody but that client is to use them.
// Where no client has a nextauth_secret, noRoute and handler say that there is nothing at the address.
func (s *server) existingClientRoutes() []route {
	return []route{{"GET", detailsPath, sameOrigin, inJSON, s.sessionDetails}}
}

func isDetails(path string) bool { return strings.TrimPrefix(path, "/v1") == detailsPath }

// sameOrigin is a request by a page of the origin that it goes to (W3C Fetch Metadata §2.3). For anybody else
// there is nothing here, whatever the cookie.
func sameOrigin(x *exchange) error {
	if !slices.Equal(x.r.Header["Sec-Fetch-Site"], []string{"same-origin"}) {
		return refuse(codeNotFound)
	}
	return nil
}

func (s *server) sessionDetails(x *exchange) (reply, error) {
	asked, err := parseValues(x.r.URL.RawQuery)
	if err != nil {
		return nil, refuse(codeNotFound)
	}
	d, alive, err := s.auth.SessionDetails(x.r.Context(), auth.DetailsAsked{SessionID: asked.Get("sessionId"), Cookie: x.cookie}, x.peer)
	if errors.Is(err, auth.ErrNoSession) {
		return nil, refuse(codeNotFound)
	}
	if err != nil {
		return nil, err
	}
	if !alive {
		return ok("There is no such session.", (*api.SessionDetails)(nil)), nil
	}
	x.userID, x.sessionID = d.Session.UserID, d.Session.ID
	return ok("Session details.", &api.SessionDetails{
		ID: d.Session.ID, SessionToken: d.Tokens.AccessToken, RefreshToken: d.Tokens.RefreshToken,
		UserID: d.Session.UserID, Expires: int64(d.Tokens.ExpiresIn / time.Second), ExpiresAt: api.Time{Time: d.Session.ExpiresAt},
		CreatedAt: api.Time{Time: d.Session.CreatedAt}, UpdatedAt: api.Time{Time: d.Session.LastUsedAt},
		SessionType: "user-session", ClientInfo: clientInfo(d.Session.Device),
	}), nil
}

// cookie is another application's, set by its server on the origin it shares with us.
func (x *exchange) cookie(name string) string {
	kept, err := x.r.Cookie(name)
	if err != nil {
		return ""
	}
	return strings.Trim(kept.Value, `"`)
}
