package rigs

// One user with several devices, who remembers what the server acknowledged. One goroutine drives it,
// so that a crash leaves at most one operation of which it does not know whether it happened.

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"latchkey/api"
	"latchkey/client"
	"latchkey/internal/password"
	"latchkey/rigs/stage"
)

// device is one session and the tokens that were last acknowledged for it.
type device struct {
	way                 way
	page                *device // that an app's session came from; nil: none
	cookie              string  // of a page session, in place of tokens
	asks                bool    // of a page session: an app whose session was ended signs nobody in without a press
	id, access, refresh string
	generation          int64
	previous            string    // the refresh token before
	turned              time.Time // when refresh was acknowledged
	unsure              bool      // a later refresh was not answered
}

func newDevice(tokens api.Tokens) *device {
	return &device{way: byAPI, id: tokens.SessionID, access: tokens.AccessToken, refresh: tokens.RefreshToken, generation: generationOf(tokens.RefreshToken), turned: time.Now()}
}

// doubt is an operation whose answer the crash swallowed: all of it happened, or nothing.
type doubt struct {
	what     string
	password string    // that it would have set
	ends     []*device // that it would have ended
}

// keep remembers the successors of its tokens.
func (d *device) keep(tokens api.Tokens) {
	d.previous, d.refresh, d.access = d.refresh, tokens.RefreshToken, tokens.AccessToken
	d.generation, d.turned, d.unsure = generationOf(d.refresh), time.Now(), false
}

type account struct {
	cl     *client.Client
	web    *website // nil: the account's owner has no browser
	post   *stage.Post
	ledger *ledger
	fail   func(format string, args ...any)
	stop   <-chan struct{}

	email      string
	password   string
	retired    string // the one before
	live, dead []*device
	doubt      *doubt
	code       *code     // nil: none
	strangers  []string  // sessions made for codes whose exchange was not answered
	changes    int       // password changes that took effect
	changedAt  time.Time // links asked for after this are good
	used       string    // the reset token last spent
	named      int       // passwords thought up
	shown      int       // passwords shown to the server since it moved on
	moved      int       // to other networks, so often
	history    []string
}

// errDown ends a client's turn: the server is gone, or said that it could not answer.
var errDown = errors.New("the server is gone")

// sticky is how long a replaced refresh token certainly still yields its successor: the window is 30 s.
const sticky = 20 * time.Second

const maxLive = 8 // devices; beyond, some are signed out first

// work uses the server until it is told to stop or the server goes away.
func (a *account) work() {
	for {
		select {
		case <-a.stop:
			return
		default:
		}
		if err := a.step(); err != nil {
			return
		}
	}
}

// step carries out one operation of the user's.
func (a *account) step() error {
	known := a.all(byAPI)
	if len(known) == 0 {
		return a.signIn()
	}
	if a.web != nil && len(a.all(byApp)) == 0 && rand.IntN(3) == 0 {
		return a.enter()
	}
	d, by := a.live[rand.IntN(len(a.live))], known[rand.IntN(len(known))]
	dice := rand.IntN(100)
	switch {
	case len(a.live) >= maxLive && dice < 30:
		return a.end("sign-out others", func(ctx context.Context) error {
			return a.cl.SignOut(ctx, by.access, api.SignOutRequest{Others: true})
		}, a.others(by)...)
	case dice < 55:
		return a.turn(d)
	case dice < 60:
		return a.repeat(d)
	case dice < 75:
		return a.enter()
	case dice < 83:
		if pages := a.all(byPage); len(pages) > 0 && dice < 79 {
			d = pages[rand.IntN(len(pages))]
		}
		return a.end("sign-out by "+string(d.way), func(ctx context.Context) error { return a.leave(ctx, d) }, a.family(d)...)
	case dice < 91:
		if d.page != nil {
			d.page.asks = true
		}
		return a.end("delete", func(ctx context.Context) error { return a.cl.EndSession(ctx, by.access, d.id) }, a.family(d)...)
	case dice < 95:
		return a.change(by)
	}
	if code := a.goodCode(); code != "" {
		return a.reset(code)
	}
	return a.forgot()
}

func (a *account) others(d *device) []*device {
	return slices.DeleteFunc(slices.Clone(a.live), func(e *device) bool { return e == d })
}

// call carries out one operation and sorts its outcome: nil when acknowledged, errDown when unknown. A
// refusal of what the server had acknowledged before is a broken promise.
func (a *account) call(kind, about string, do func(context.Context) error) error {
	err := do(a.here())
	refusal, ok := errors.AsType[*client.Error](err)
	if ok && refusal.Status < 500 {
		a.complain("%s %s was refused: %v", kind, about, err)
		return errDown
	}
	a.history = append(a.history, a.ledger.note(a.email, kind, about, err))
	if ok && refusal.Status != 503 {
		a.complain("%s %s: %v", kind, about, err)
	}
	if err != nil {
		return errDown
	}
	return nil
}

// here is what the account's owner asks with: from one address, so that its own success takes back what its own mistakes
// added to a counter; and from another network (see moveOn) before its right passwords are too many for one.
func (a *account) here() context.Context {
	sum := sha256.Sum256(fmt.Append(nil, a.email, a.moved))
	return stage.At(context.Background(), fmt.Sprintf("10.%d.%d.%d", sum[0], sum[1], 1+sum[2]%254))
}

// moveOn leaves a network that has seen many passwords. Only after a success, which took back what failures had added.
func (a *account) moveOn() {
	if a.shown >= 50 {
		a.shown, a.moved = 0, a.moved+1
	}
}

// complain reports a broken promise with what led to it.
func (a *account) complain(format string, args ...any) {
	a.ledger.broken()
	a.fail("%s: %s\n  %s", a.email, fmt.Sprintf(format, args...), strings.Join(a.history[max(0, len(a.history)-25):], "\n  "))
}

func (a *account) signIn() error {
	a.shown++
	var tokens api.Tokens
	err := a.call("sign-in", "", func(ctx context.Context) (err error) {
		tokens, err = a.cl.SignIn(ctx, api.SignInRequest{Email: a.email, Password: a.password})
		return err
	})
	if err == nil {
		a.live = append(a.live, newDevice(tokens))
	}
	return err
}

// turn uses a session. A page session's page is there; a refresh token that was acknowledged works, and yields the next
// generation (I2).
func (a *account) turn(d *device) error {
	if d.way == byPage {
		return a.call("visit", d.id, func(ctx context.Context) error {
			seen, err := a.visit(ctx, d)
			if err == nil && !seen {
				err = &client.Error{Status: http.StatusUnauthorized, Message: "signed out"}
			}
			return err
		})
	}
	var tokens api.Tokens
	err := a.call("refresh by "+string(d.way), d.id, func(ctx context.Context) (err error) {
		tokens, err = a.refresh(ctx, d, d.refresh)
		return err
	})
	if err != nil {
		d.unsure = true
		return err
	}
	if next := generationOf(tokens.RefreshToken); tokens.SessionID != d.id || next != d.generation+1 {
		a.complain("refresh of %s, generation %d, gave %s, generation %d", d.id, d.generation, tokens.SessionID, next)
	}
	d.keep(tokens)
	return nil
}

// repeat presents the token before the last, as after a lost answer: it yields the same successor (I2).
func (a *account) repeat(d *device) error {
	if d.previous == "" || time.Since(d.turned) > sticky {
		return a.turn(d)
	}
	var tokens api.Tokens
	err := a.call("repeat", d.id, func(ctx context.Context) (err error) {
		tokens, err = a.refresh(ctx, d, d.previous)
		return err
	})
	if err == nil && tokens.RefreshToken != d.refresh {
		a.complain("repeating generation %d of %s gave generation %d and not the same successor", d.generation-1, d.id, generationOf(tokens.RefreshToken))
	}
	return err
}

// end carries out what ends sessions.
func (a *account) end(kind string, do func(context.Context) error, ends ...*device) error {
	return a.settle(&doubt{what: kind, ends: ends}, do)
}

func (a *account) change(by *device) error {
	a.shown++
	fresh := a.newPassword()
	return a.settle(&doubt{what: "change", password: fresh, ends: a.others(by)}, func(ctx context.Context) error {
		return a.cl.ChangePassword(ctx, by.access, api.ChangePasswordRequest{Email: a.email, OldPassword: a.password, NewPassword: fresh})
	})
}

func (a *account) forgot() error {
	return a.call("forgot", "", func(ctx context.Context) error {
		_, err := a.cl.ForgotPassword(ctx, api.ForgotPasswordRequest{Email: a.email})
		return err
	})
}

func (a *account) reset(code string) error {
	fresh := a.newPassword()
	a.used = code
	return a.settle(&doubt{what: "reset", password: fresh, ends: slices.Clone(a.live)}, func(ctx context.Context) error {
		return a.cl.ResetPassword(ctx, a.email, api.PasswordResetRequest{Password: fresh, Token: code})
	})
}

// settle carries out what changes much at once, and remembers it in doubt until it is answered.
func (a *account) settle(d *doubt, do func(context.Context) error) error {
	a.doubt = d
	about := fmt.Sprintf("%d sessions", len(d.ends))
	if len(d.ends) == 1 {
		about = d.ends[0].id
	}
	if err := a.call(d.what, about, do); err != nil {
		return err
	}
	a.happened()
	return nil
}

// happened makes the doubt a fact.
func (a *account) happened() {
	d := a.doubt
	a.doubt = nil
	a.live = slices.DeleteFunc(a.live, func(e *device) bool { return slices.Contains(d.ends, e) })
	a.dead = append(a.dead, d.ends...)
	if d.password != "" {
		a.retired, a.password = a.password, d.password
		a.changes++
		a.changedAt = time.Now()
	}
}

// newPassword is one that the policy takes: the list of common passwords wrongly names one in some 30,000.
func (a *account) newPassword() string {
	for {
		a.named++
		fresh := fmt.Sprintf("password %d of %s: %x", a.named, a.email, rand.Uint64())
		plain, err := password.Normalize(fresh)
		if err == nil && !common().Contains(plain) {
			return fresh
		}
	}
}

// common is the list that the server comes with.
var common = sync.OnceValue(func() *password.Blocklist {
	list, err := password.EmbeddedBlocklist()
	if err != nil {
		panic(err)
	}
	return list
})

// goodCode is the newest reset token that must work: mailed for a request that came after all that
// would have made it void.
func (a *account) goodCode() string {
	code, newest := "", a.changedAt
	for _, mail := range a.post.To(a.email) {
		if c := mail.Code(resetPage); c != "" && mail.Asked().After(newest) {
			code, newest = c, mail.Asked()
		}
	}
	if code == a.used {
		return ""
	}
	return code
}

// generationOf reads a refresh token's claim; -1 when it cannot be read.
func generationOf(refreshToken string) int64 {
	parts := strings.Split(refreshToken, ".")
	if len(parts) != 3 {
		return -1
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	claims := struct {
		Generation int64 `json:"gen"`
	}{-1}
	if err != nil || json.Unmarshal(raw, &claims) != nil {
		return -1
	}
	return claims.Generation
}
