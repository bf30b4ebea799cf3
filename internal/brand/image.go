package brand

// A logo that Latchkey serves itself: pages load nothing from elsewhere, since their URL may carry a token.

import (
	"bytes"
	"fmt"
	"net/http"
)

// maxImage is what a logo may weigh: a page with all it loads stays below 60 KB.
const maxImage = 32 << 10

// Image is a picture and its media type; the zero Image is none.
type Image struct {
	Content   []byte
	MediaType string
}

// ReadImage takes PNG, JPEG, WebP or SVG of at most 32 KiB. An SVG is only ever shown as an image, where
// browsers run nothing in it.
func ReadImage(content []byte) (Image, error) {
	if len(content) > maxImage {
		return Image{}, fmt.Errorf("the logo has %d bytes: use at most %d", len(content), maxImage)
	}
	switch mediaType := http.DetectContentType(content); mediaType {
	case "image/png", "image/jpeg", "image/webp":
		return Image{content, mediaType}, nil
	}
	if bytes.Contains(content[:min(len(content), 512)], []byte("<svg")) {
		return Image{content, "image/svg+xml"}, nil
	}
	return Image{}, fmt.Errorf("the logo is no PNG, JPEG, WebP or SVG")
}
