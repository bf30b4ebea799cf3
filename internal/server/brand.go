package server

// Whose pages they are: the look of the client that a visitor came from, and what it loads.

import (
	"latchkey/internal/auth"
	"latchkey/internal/brand"
)

// brands are the looks of every client, by alias, and the one of who names none.
type brands struct {
	byAlias map[string]brand.Brand
	plain   brand.Brand
}

func newBrands(clients []auth.Client) brands {
	b := brands{byAlias: map[string]brand.Brand{}, plain: brand.Plain}
	for _, c := range clients {
		b.byAlias[c.Alias] = c.Brand
		if c.Default {
			b.plain = c.Brand
		}
	}
	return b
}

// of returns the look of a client, or the plain one for an alias that is not registered.
func (b brands) of(alias string) brand.Brand {
	if look, ok := b.byAlias[alias]; ok {
		return look
	}
	return b.plain
}

func (s *server) brandStyle(x *exchange) (reply, error) {
	look, ok := s.brands.byAlias[x.r.PathValue("alias")]
	if !ok || look.Colour.IsZero() {
		return nil, refuse(codeNotFound)
	}
	return asset("text/css; charset=utf-8", []byte(look.Colour.Style())), nil
}

// brandLogo keeps the standing policy that lets an SVG opened by itself run and load nothing.
func (s *server) brandLogo(x *exchange) (reply, error) {
	look, ok := s.brands.byAlias[x.r.PathValue("alias")]
	if !ok || look.Logo.MediaType == "" {
		return nil, refuse(codeNotFound)
	}
	return asset(look.Logo.MediaType, look.Logo.Content), nil
}
