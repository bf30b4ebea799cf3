package server

// What pages load: the stylesheet, the script, the icon.

import "strings"

func (s *server) pageAsset(x *exchange) (reply, error) {
	content, mediaType, found := s.drawing.Asset(strings.TrimPrefix(x.r.URL.Path, "/"))
	if !found {
		return nil, refuse(codeNotFound)
	}
	return asset(mediaType, content), nil
}
