package server_test

// Passwords as CREDEBL Studio encrypts them under a shared key (LATCHKEY_TRANSPORT_KEY).

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/md5"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"latchkey/api"
	"latchkey/internal/auth"
	"latchkey/internal/password"
)

const (
	transportKey    = "studio-client-test-key-0123456789"
	transportPlain  = "Passw0rd!x"
	transportVector = "U2FsdGVkX18AAQIDBAUGB0gpHTigvuVWWKJu8yVSrYA="
)

// cryptoJS is what CryptoJS.AES.encrypt(text, key) gives for the vector's salt: AES-256-CBC, key and IV
// by OpenSSL's EVP_BytesToKey with MD5 and one round.
func cryptoJS(t *testing.T, text string) string {
	t.Helper()
	salt := []byte{0, 1, 2, 3, 4, 5, 6, 7}
	var derived, last []byte
	for len(derived) < 48 {
		sum := md5.Sum(bytes.Join([][]byte{last, []byte(transportKey), salt}, nil))
		last = sum[:]
		derived = append(derived, last...)
	}
	block, err := aes.NewCipher(derived[:32])
	if err != nil {
		t.Fatal(err)
	}
	pad := aes.BlockSize - len(text)%aes.BlockSize
	sealed := []byte(text + strings.Repeat(string(rune(pad)), pad))
	cipher.NewCBCEncrypter(block, derived[32:48]).CryptBlocks(sealed, sealed)
	return base64.StdEncoding.EncodeToString(append(append([]byte("Salted__"), salt...), sealed...))
}

// studio makes a user with the vector's password.
func studio(a *app) string {
	a.Helper()
	pw := transportPlain
	return a.add(auth.NewUser{Email: a.email(), Password: &pw}).Email
}

func TestTransportKey(t *testing.T) {
	if got := cryptoJS(t, `"`+transportPlain+`"`); got != transportVector {
		t.Fatalf("this test encrypts to %s, want %s", got, transportVector)
	}
	withKey := func(o *auth.Options) { o.TransportKey, o.Pool = transportKey, password.NewPool(1, 0) }
	prove(t, "POST /auth/signin", withKey, []proof{
		{"200: the vector, and a password as it is", func(a *app) {
			email := studio(a)
			a.signIn(email, transportVector).is("200")
			a.signIn(email, transportPlain).is("200")
			a.post("/auth/signin", members{"email": email, "password": transportVector, "isPasswordEncrypted": true}).is("200")
			a.post("/auth/signin", members{"email": email, "password": transportPlain, "isPasswordEncrypted": false}).is("200")
		}},
		{"200: encrypted at sign-up, at a change and at a reset", func(a *app) {
			sealed := func(pw string) string { return cryptoJS(a.T, `"`+pw+`"`) }
			email := a.email()
			a.signUp(email, a.code(email), sealed("first horse battery")).is("201")
			a.signIn(email, "first horse battery").is("200")
			a.change(email, sealed("first horse battery"), sealed("second horse battery")).is("200")
			a.signIn(email, "second horse battery").is("200")
			a.change(email, sealed("second horse battery"), "second horse battery").is("400 password_unchanged")
			a.change(email, sealed("second horse battery"), sealed("short")).is("400 password_not_accepted").blames("newPassword too_short")
			a.reset(email, a.ForgotCode(a.T, email), sealed("third horse battery")).is("200")
			a.signIn(email, sealed("third horse battery")).is("200")
		}},
		{"400 invalid_request: limits apply after decryption", func(a *app) {
			a.signIn(studio(a), cryptoJS(a.T, `"`+strings.Repeat("x", 257)+`"`)).is("400 invalid_request").blames("password too_long")
			a.signIn(studio(a), cryptoJS(a.T, `""`)).is("400 invalid_request").blames("password required")
			a.signIn(studio(a), cryptoJS(a.T, `"`+strings.Repeat("x", 256)+`"`)).is("401 invalid_credentials")
		}},
		{"401 invalid_credentials: what does not decrypt takes the path of a wrong password", func(a *app) {
			wrong := a.signIn(studio(a), "wrong").is("401 invalid_credentials").says("Invalid Credentials")
			for name, bad := range map[string]string{
				"padding":            transportVector[:len(transportVector)-8] + "AAAAAAA=",
				"no JSON":            cryptoJS(a.T, transportPlain),
				"a number":           cryptoJS(a.T, `17`),
				"null":               cryptoJS(a.T, `null`),
				"an object":          cryptoJS(a.T, `{"password":"x"}`),
				"a lone surrogate":   cryptoJS(a.T, `"\ud800"`),
				"no ciphertext":      "U2FsdGVkX18AAQIDBAUGBw==",
				"half a block":       "U2FsdGVkX18AAQIDBAUGB0gpHTigvuU=",
				"no base64":          "U2FsdGVkX1-not-base64",
				"the prefix alone":   "U2FsdGVkX1",
				"base64 with a line": transportVector[:20] + "\n" + transportVector[20:],
			} {
				if diff := cmp.Diff(masked(wrong), masked(a.signIn(studio(a), bad))); diff != "" {
					a.Errorf("%s is told apart from a wrong password:\n%s", name, diff)
				}
			}
			email := studio(a)
			release := occupy(a) // the same hash work: it cannot be answered now
			a.signIn(email, "U2FsdGVkX1").is("503 unavailable")
			release()
			a.guessed(func() answer { return a.signIn(email, "U2FsdGVkX1") }) // the same throttle
			a.signIn(email, "U2FsdGVkX1").is("429 too_many_requests")
			a.Clock.Advance(17 * time.Second)
			a.signIn(email, transportPlain).is("200")
		}},
		{"401 invalid_credentials: isPasswordEncrypted false takes it as sent", func(a *app) {
			a.post("/auth/signin", members{"email": studio(a), "password": transportVector, "isPasswordEncrypted": false}).is("401 invalid_credentials")
		}},
	})
}

// What is asked about a new password is never decrypted: the answers, which nothing limits for an account,
// would tell whoever has seen a password on its way to the server which one it is.
func TestPasswordCheckNeverDecrypts(t *testing.T) {
	withKey := func(o *auth.Options) { o.TransportKey = transportKey }
	prove(t, "POST /auth/password-check", withKey, []proof{
		{"400 invalid_request", func(a *app) {
			check := func(pw string, about members) answer {
				about["password"] = pw
				return a.post("/auth/password-check", about)
			}
			first := check(transportVector, members{}).is("400 invalid_request").blames("password invalid_format")
			for name, pw := range map[string]string{
				"too common":    cryptoJS(a.T, `"password1"`),
				"empty":         cryptoJS(a.T, `""`),
				"too long":      cryptoJS(a.T, `"`+strings.Repeat("x", 257)+`"`),
				"a wrong end":   transportVector[:len(transportVector)-8] + "AAAAAAA=",
				"no ciphertext": "U2FsdGVkX1",
			} {
				if diff := cmp.Diff(masked(first), masked(check(pw, members{}))); diff != "" {
					a.Errorf("%s is told apart: %s", name, diff)
				}
			}
			guess := members{"email": "ada@example.com", "firstName": transportPlain, "lastName": transportPlain}
			if diff := cmp.Diff(masked(first), masked(check(transportVector, guess))); diff != "" {
				a.Errorf("a guess in the name is told apart: %s", diff)
			}
		}},
		{"200: as it is sent, where that is said", func(a *app) {
			x := a.post("/auth/password-check", members{"password": transportVector, "isPasswordEncrypted": false}).is("200")
			if !dataOf[api.PasswordCheck](x).Accepted {
				a.Errorf("refused: %s", x.body)
			}
		}},
	})
}

// A change of password tells nothing of what came encrypted before the old password was found right.
func TestChangeTellsNothingOfTheEncrypted(t *testing.T) {
	withKey := func(o *auth.Options) { o.TransportKey = transportKey }
	prove(t, "POST /auth/reset-password", withKey, []proof{
		{"401 invalid_credentials: what a stranger has seen is not compared with what it guesses", func(a *app) {
			wrong := a.change(a.email(), transportPlain, newPassword).is("401 invalid_credentials")
			for name, x := range map[string]answer{
				"a right guess, encrypted for transport": a.change(a.email(), transportPlain, transportVector),
				"the other way round":                    a.change(a.email(), transportVector, transportPlain),
				"twice the same":                         a.change(a.email(), transportVector, cryptoJS(a.T, `"`+transportPlain+`"`)),
				"too common":                             a.change(a.email(), "anything", cryptoJS(a.T, `"password1"`)),
			} {
				if diff := cmp.Diff(masked(wrong), masked(x)); diff != "" {
					a.Errorf("%s: %s", name, diff)
				}
			}
		}},
	})
}

func TestWithoutTransportKey(t *testing.T) {
	prove(t, "POST /auth/signin", nil, []proof{
		{"401 invalid_credentials: without a key it is a password like any other", func(a *app) {
			a.signIn(studio(a), transportVector).is("401 invalid_credentials")
			literal := transportVector
			a.signIn(a.add(auth.NewUser{Email: a.email(), Password: &literal}).Email, transportVector).is("200")
		}},
	})
}
