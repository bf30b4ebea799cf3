package server

// What pages load: the stylesheet, the script, the icon.

import (
	"net/http"
	"strings"
	"time"
)

func (s *server) pageAsset(x *exchange) (reply, error) {
	content, mediaType, found := s.drawing.Asset(strings.TrimPrefix(x.r.URL.Path, "/"))
	if !found {
		return nil, refuse(codeNotFound)
	}
	return cacheable(time.Hour, func(x *exchange) { x.send(http.StatusOK, mediaType, content) }), nil
}
