package server

import (
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"encoding/base64"
	"io"
	"strings"
	"testing"

	"latchkey/internal/sdk"
)

const immutable = "public, max-age=31536000, immutable"

// sdkAddresses are the scripts and tarballs there are, by address, and how long each is kept.
func sdkAddresses() (files map[string]sdk.File, keep map[string]string) {
	files, keep = map[string]sdk.File{"/client.js": sdk.Newest()}, map[string]string{"/client.js": "no-cache"}
	for _, f := range sdk.Files() {
		files[f.Path], keep[f.Path] = f, immutable
	}
	return files, keep
}

func TestThePackageIsServedToEverybody(t *testing.T) {
	rm := newRoom(t, nil)
	files, keep := sdkAddresses()
	if len(files) < 3 {
		t.Fatalf("only %d files", len(files))
	}
	for path, f := range files {
		for _, origin := range []string{"", "Origin: https://app.example.org", "Origin: https://elsewhere.example", "Origin: null"} {
			for _, method := range []string{"GET", "HEAD"} {
				var headers []string
				if origin != "" {
					headers = append(headers, origin)
				}
				w := rm.ask(method, path, "", headers...)
				h := w.Header()
				if w.Code != 200 || h.Get("Content-Type") != f.MediaType || h.Get("Cache-Control") != keep[path] || h.Get("ETag") == "" ||
					h.Get("Access-Control-Allow-Origin") != "*" || h.Get("Access-Control-Allow-Credentials") != "" ||
					h.Get("Cross-Origin-Resource-Policy") != "cross-origin" || h.Get("X-Content-Type-Options") != "nosniff" ||
					strings.Join(h.Values("Vary"), ", ") != "Accept-Encoding" || h.Get("Content-Encoding") != "" || h.Get("Set-Cookie") != "" {
					t.Errorf("%s %s, %q: %d %v", method, path, origin, w.Code, h)
				}
				if method == "GET" && !bytes.Equal(w.Body.Bytes(), f.Content) {
					t.Errorf("%s is another file", path)
				}
			}
		}
	}
	for _, path := range []string{"/client-9.9.9.js", "/client-0.1.0.mjs", "/client.js/", "/latchkey-client.tgz", "/v1/client.js", "/released.txt"} {
		wantError(t, rm.ask("GET", path, ""), 404, "not_found")
	}
	wantError(t, rm.ask("POST", "/client.js", ""), 405, "method_not_allowed")
}

// What an import map's integrity says is of the bytes that are sent.
func TestIntegrityIsOfWhatIsSent(t *testing.T) {
	rm := newRoom(t, nil)
	for _, f := range sdk.Files() {
		sum := sha512.Sum384(rm.ask("GET", f.Path, "").Body.Bytes())
		if want := "sha384-" + base64.StdEncoding.EncodeToString(sum[:]); f.Script() && f.Integrity != want {
			t.Errorf("%s: %s, and what is sent has %s", f.Path, f.Integrity, want)
		}
	}
}

func TestScriptsAreCompressedForWhoTakesThat(t *testing.T) {
	rm := newRoom(t, nil)
	files, _ := sdkAddresses()
	for path, f := range files {
		plain := rm.ask("GET", path, "")
		for accepted, packed := range map[string]bool{
			"gzip": true, "br, GZip;q=0.5": true, "deflate, gzip": true, "gzip; q=1": true,
			"gzip;q=0": false, "gzip;q=0.000": false, "gzip;q=x": false, "br": false, "*": false, "xgzip": false, "": false,
		} {
			w := rm.ask("GET", path, "", "Accept-Encoding: "+accepted)
			if packed = packed && f.Script(); packed != (w.Header().Get("Content-Encoding") == "gzip") {
				t.Errorf("%s to who accepts %q: %v", path, accepted, w.Header())
				continue
			}
			body := w.Body.Bytes()
			if packed {
				r, err := gzip.NewReader(w.Body)
				if err != nil {
					t.Fatal(err)
				}
				if body, err = io.ReadAll(r); err != nil {
					t.Fatal(err)
				}
			}
			tag := w.Header().Get("ETag")
			if !bytes.Equal(body, f.Content) || packed == (tag == plain.Header().Get("ETag")) {
				t.Errorf("%s to who accepts %q: another file, or the wrong ETag", path, accepted)
			}
			again := rm.ask("GET", path, "", "Accept-Encoding: "+accepted, "If-None-Match: "+tag)
			if again.Code != 304 || again.Body.Len() > 0 || again.Header().Get("ETag") != tag || again.Header().Get("Access-Control-Allow-Origin") != "*" {
				t.Errorf("%s to who accepts %q, the same: %d %v", path, accepted, again.Code, again.Header())
			}
		}
	}
}
