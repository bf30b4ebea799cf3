package auth

// No setting is forgotten where nodes compare theirs.

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"latchkey/internal/node"
	"latchkey/internal/password"
	"latchkey/internal/token"
)

// comparedAs names the setting that each option comes from; or says why nodes need not have it alike.
var comparedAs = map[string]string{
	"Master":            "LATCHKEY_MASTER_KEY",
	"Hash":              "LATCHKEY_HASH_MEMORY_KIB",
	"Policy":            "LATCHKEY_PASSWORD_MIN",
	"Clients":           "LATCHKEY_CLIENTS_FILE",
	"MailFrom":          "LATCHKEY_MAIL_FROM",
	"Issuer":            "LATCHKEY_PUBLIC_URL",
	"Audience":          "LATCHKEY_AUDIENCE",
	"SigningAlg":        "LATCHKEY_SIGNING_ALG",
	"AccessTyp":         "LATCHKEY_ACCESS_TYP",
	"AccessTTL":         "LATCHKEY_ACCESS_TTL",
	"RefreshIdle":       "LATCHKEY_REFRESH_IDLE",
	"RefreshOverall":    "LATCHKEY_REFRESH_OVERALL",
	"RefreshGrace":      "LATCHKEY_REFRESH_GRACE",
	"RefreshRecoveries": "LATCHKEY_REFRESH_RECOVERIES",
	"ResetTTL":          "LATCHKEY_RESET_TTL",
	"VerifyTTL":         "LATCHKEY_VERIFY_TTL",
	"SessionsPerUser":   "LATCHKEY_SESSIONS_PER_USER",
	"SignupOpen":        "LATCHKEY_SIGNUP",
	"Throttle":          "LATCHKEY_THROTTLE",
	"TransportKey":      "LATCHKEY_TRANSPORT_KEY",
	"AuditDays":         "LATCHKEY_AUDIT_DAYS",

	"Store":         "the database by which they know of one another",
	"Pool":          "a node's own: as many hashes at once as it has processors for",
	"Sender":        "a node's own: which relay it reaches",
	"MailTemplates": "files of a node's own",
	"Now":           "measured, see internal/node",
	"Log":           "a node's own",
	"OnRefresh":     "a node's own",
	"OnSignIn":      "a node's own",
	"OnMail":        "a node's own",
	"OnLogout":      "a node's own",
}

func TestEveryOptionIsComparedOrNeedNotBe(t *testing.T) {
	master, err := token.ParseMasterKeys("bGF0Y2hrZXktdGVzdC1tYXN0ZXIta2V5LTMyYnl0ZXM=")
	if err != nil {
		t.Fatal(err)
	}
	s := &Service{o: Options{Master: master, Policy: password.Policy{MinLength: 8}}}
	told := s.settings()
	for _, field := range reflect.VisibleFields(reflect.TypeFor[Options]()) {
		as, decided := comparedAs[field.Name]
		if !decided {
			t.Errorf("Options.%s: name the setting that nodes compare, or say why they need not have it alike", field.Name)
		}
		isTold := func(s node.Setting) bool { return s.Name == as }
		if strings.HasPrefix(as, "LATCHKEY_") && !slices.ContainsFunc(told, isTold) {
			t.Errorf("Options.%s: %s is not compared", field.Name, as)
		}
	}
}
