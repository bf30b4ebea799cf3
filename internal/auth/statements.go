package auth

// Signed statements: a few fields, the id of a master key and a MAC, with dots between. Nothing is stored
// for one; the label of its purpose keeps it from being taken for another (I7).

import (
	"crypto/hmac"
	"encoding/base64"
	"errors"
	"strings"
)

// errNoStatement: we have not written this, or not for this purpose.
var errNoStatement = errors.New("not a statement of ours")

func (s *Service) signStatement(kid, label string, fields ...string) (string, error) {
	text := strings.Join(fields, ".")
	mac, err := s.o.Master.MAC(kid, label, []byte(text))
	if err != nil {
		return "", err
	}
	return text + "." + kid + "." + base64.RawURLEncoding.EncodeToString(mac), nil
}

// readStatement returns the fields of a statement in its one spelling, and the id of its key also where
// this process lacks that: token.ErrUnknownMasterKey.
func (s *Service) readStatement(label, raw string, count int) (fields []string, kid string, err error) {
	parts := strings.Split(raw, ".")
	if len(raw) > 256 || len(parts) != count+2 {
		return nil, "", errNoStatement
	}
	fields, kid = parts[:count], parts[count]
	again, err := s.signStatement(kid, label, fields...)
	if err == nil && !hmac.Equal([]byte(raw), []byte(again)) {
		err = errNoStatement
	}
	return fields, kid, err
}
