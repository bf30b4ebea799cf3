package auth

// The flow of an app's request through pages, sealed under the master keys; through a mail it goes by a handle.

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"time"

	"latchkey/internal/oidc"
	"latchkey/internal/store"
)

// SealFlow makes what pages carry.
func (s *Service) SealFlow(f oidc.Flow) (string, error) {
	sealed, err := f.Seal(s.o.Master)
	if err != nil {
		return "", unavailable(err)
	}
	return sealed, nil
}

// handleLength is that of 128 bits in base64url; no sealed flow is as short.
const handleLength = 22

// FlowOfMail says whether what came as a flow is the handle in a mailed link, which any browser may open.
func FlowOfMail(raw string) bool { return len(raw) == handleLength }

// newHandle makes a handle and what is stored of it.
func newHandle() (handle string, hash []byte) {
	raw := make([]byte, 16)
	_, _ = rand.Read(raw) // never fails: crypto/rand ends the process instead
	handle = base64.RawURLEncoding.EncodeToString(raw)
	return handle, hashCode(handle)
}

// OpenFlow reads what pages carried, or finds what the handle in a mailed link stands for; fresh is false for a flow that
// has run out. CodeInvalidRequest for what is none of ours.
func (s *Service) OpenFlow(ctx context.Context, raw string) (f oidc.Flow, fresh bool, err error) {
	var until time.Time // of a mail's
	if FlowOfMail(raw) {
		kept, err := s.o.Store.FlowByHash(ctx, hashCode(raw))
		if errors.Is(err, store.ErrNotFound) {
			return oidc.Flow{}, false, refuse(CodeInvalidRequest)
		}
		if err != nil {
			return oidc.Flow{}, false, err
		}
		raw, until = kept.Sealed, kept.ExpiresAt
	}
	now := s.now()
	f, err = oidc.OpenFlow(s.o.Master, raw, now)
	switch {
	case err == nil:
		return f, true, nil
	case errors.Is(err, oidc.ErrRunOut):
		return f, now.Before(until), nil
	}
	return oidc.Flow{}, false, s.refuseUnread(ctx, oidc.FlowKeyID(s.o.Master, raw), err, CodeInvalidRequest)
}
