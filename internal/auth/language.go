package auth

// Which language a person reads: what they have set for their account, above all else.

import (
	"context"
	"errors"

	"latchkey/internal/fields"
	"latchkey/internal/locale"
	"latchkey/internal/store"
)

// SetLanguage notes the language in which the caller wants pages and mails: CodeInvalidRequest when tag
// is none that Latchkey speaks.
func (s *Service) SetLanguage(ctx context.Context, caller Caller, tag string) error {
	if !locale.Known(tag) {
		return &fields.Invalid{Problems: []fields.Problem{{Name: "language", Code: "not_allowed", Message: "Use the tag of a language that pages are there in, such as en."}}}
	}
	err := s.o.Store.SetLanguage(ctx, caller.UserID, tag)
	if errors.Is(err, store.ErrNotFound) { // deleted since the token was looked at
		return refuse(CodeInvalidToken)
	}
	return err
}
