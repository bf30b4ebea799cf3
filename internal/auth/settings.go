package auth

// The settings that all servers on a database must have alike, as internal/node compares them.

import (
	"cmp"

	"latchkey/internal/node"
	"latchkey/internal/token"
)

// settings holds nothing secret. The clients are those of now: they are reloaded while the server runs.
func (s *Service) settings() []node.Setting {
	var list []string
	for _, c := range s.ClientsNow().List() {
		list = append(list, c.Settings())
	}
	o := s.o
	return []node.Setting{
		{Name: "LATCHKEY_PUBLIC_URL", Value: o.Issuer},
		{Name: "LATCHKEY_AUDIENCE", Value: o.Audience},
		{Name: "LATCHKEY_MASTER_KEY", Value: o.Master.IDs()},
		{Name: "LATCHKEY_SIGNING_ALG", Value: o.SigningAlg},
		{Name: "LATCHKEY_ACCESS_TYP", Value: cmp.Or(o.AccessTyp, token.AccessType)},
		{Name: "LATCHKEY_MAIL_FROM", Value: o.MailFrom},
		{Name: "LATCHKEY_CLIENTS_FILE", Value: list},
		{Name: "LATCHKEY_ACCESS_TTL", Value: o.AccessTTL},
		{Name: "LATCHKEY_REFRESH_IDLE", Value: o.RefreshIdle},
		{Name: "LATCHKEY_REFRESH_OVERALL", Value: o.RefreshOverall},
		{Name: "LATCHKEY_REFRESH_GRACE", Value: o.RefreshGrace},
		{Name: "LATCHKEY_REFRESH_RECOVERIES", Value: o.RefreshRecoveries},
		{Name: "LATCHKEY_RESET_TTL", Value: o.ResetTTL},
		{Name: "LATCHKEY_VERIFY_TTL", Value: o.VerifyTTL},
		{Name: "LATCHKEY_SESSIONS_PER_USER", Value: o.SessionsPerUser},
		{Name: "LATCHKEY_PASSWORD_MIN", Value: o.Policy.MinLength},
		{Name: "LATCHKEY_HASH_MEMORY_KIB", Value: o.Hash.MemoryKiB},
		{Name: "LATCHKEY_HASH_TIME", Value: o.Hash.Time},
		{Name: "LATCHKEY_SIGNUP", Value: o.SignupOpen},
		{Name: "LATCHKEY_THROTTLE", Value: o.Throttle},
		{Name: "LATCHKEY_TRANSPORT_KEY", Value: o.TransportKey != ""},
		{Name: "LATCHKEY_AUDIT_DAYS", Value: o.AuditDays},
	}
}
