package server

// The caller's sessions: to see and to end.

import (
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"

	"latchkey/api"
	"latchkey/internal/auth"
	"latchkey/internal/peer"
)

func (s *server) sessions(x *exchange) (reply, error) {
	list, err := s.auth.Sessions(x.r.Context(), *x.caller, x.r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	out := make([]api.Session, 0, len(list))
	for _, session := range list {
		out = append(out, wireSession(session))
	}
	return ok("Active sessions.", out), nil
}

func (s *server) endSession(x *exchange) (reply, error) {
	if err := s.auth.EndSession(x.r.Context(), *x.caller, x.r.PathValue("id"), x.peer); err != nil {
		return nil, err
	}
	return ok("Session ended.", nil), nil
}

func wireSession(s auth.Session) api.Session {
	d := s.Device
	return api.Session{
		ID: s.ID, UserID: s.UserID, SessionType: "user-session", Current: s.Current, ClientAlias: s.Client, Via: s.Via,
		CreatedAt: api.Time{Time: s.CreatedAt}, LastUsedAt: api.Time{Time: s.LastUsedAt}, ExpiresAt: api.Time{Time: s.ExpiresAt},
		ClientInfo: clientInfo(d),
		Client: api.Browser{
			Browser: d.Browser, BrowserVersion: d.BrowserVersion, OS: d.OS, DeviceType: d.DeviceType, IP: d.Addr,
		},
	}
}

// clientInfo is JSON inside a JSON string, because existing clients parse it a second time.
func clientInfo(d peer.Device) string {
	text, err := json.Marshal(api.ClientInfo{
		Browser: strings.TrimSpace(d.Browser + " " + d.BrowserVersion),
		OS:      d.OS, DeviceType: d.DeviceType, RawDetail: d.UserAgent, IP: d.Addr,
	})
	if err != nil {
		panic(fmt.Errorf("encode client info: %w", err)) // auth keeps valid UTF-8 only
	}
	return string(text)
}
