package server

// Whose pages they are: the look of the client that a visitor came from, and what it loads.

import (
	"net/http"
	"strings"

	"latchkey/internal/brand"
	"latchkey/internal/clients"
)

// brands are the looks of every client, by alias, and the one for requests that name none.
type brands struct {
	byAlias map[string]brand.Brand
	plain   brand.Brand
}

func newBrands(list []clients.Client) brands {
	b := brands{byAlias: map[string]brand.Brand{}, plain: brand.Plain}
	for _, c := range list {
		b.byAlias[c.Alias] = c.Brand
		if c.Default {
			b.plain = c.Brand
		}
	}
	return b
}

// looks are what the clients file says of pages and of who may call, as one request finds it.
type looks struct {
	clients *clients.Set
	cors    cors
	apps    cors // of the paths forApps
	brands  brands
}

// looksNow makes them anew when the clients have changed. Two requests at once may both do so.
func (s *server) looksNow() *looks {
	clients := s.auth.ClientsNow()
	l := s.looks.Load()
	if l != nil && l.clients == clients {
		return l
	}
	origins := s.corsOrigins
	if origins == nil {
		origins = clients.Origins()
	}
	l = &looks{clients: clients, cors: newCORS(origins), apps: newCORS(append(clients.AppOrigins(), origins...)), brands: newBrands(clients.List())}
	s.looks.Store(l)
	return l
}

// corsFor are the origins that may call a request's path.
func (l *looks) corsFor(r *http.Request) cors {
	if forApps[strings.TrimPrefix(r.URL.Path, "/v1")] {
		return l.apps
	}
	return l.cors
}

// of returns the look of a client, or the plain one for an alias that is not registered.
func (b brands) of(alias string) brand.Brand {
	if look, ok := b.byAlias[alias]; ok {
		return look
	}
	return b.plain
}

func (s *server) brandStyle(x *exchange) (reply, error) {
	look, ok := x.looks.brands.byAlias[x.r.PathValue("alias")]
	if !ok || look.Colour.IsZero() {
		return nil, refuse(codeNotFound)
	}
	return asset("text/css; charset=utf-8", []byte(look.Colour.Style())), nil
}

// brandLogo keeps the standing policy that lets an SVG opened by itself run and load nothing.
func (s *server) brandLogo(x *exchange) (reply, error) {
	look, ok := x.looks.brands.byAlias[x.r.PathValue("alias")]
	if !ok || look.Logo.MediaType == "" {
		return nil, refuse(codeNotFound)
	}
	return asset(look.Logo.MediaType, look.Logo.Content), nil
}
