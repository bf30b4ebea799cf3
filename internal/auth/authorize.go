package auth

// What an app's request to sign somebody in needs (OpenID Connect Core §3.1.2): nothing more where the page session of the
// browser is enough, else a proof, a press or a consent.

import (
	"context"
	"errors"
	"time"

	"latchkey/internal/audit"
	"latchkey/internal/clients"
	"latchkey/internal/oidc"
	"latchkey/internal/peer"
	"latchkey/internal/store"
	"latchkey/internal/throttle"
)

// Need is what a person still has to do before an app gets its code.
type Need string

// Needs, in the order in which they are asked for.
const (
	NeedNothing  Need = ""
	NeedSignIn   Need = "sign_in"
	NeedSignUp   Need = "sign_up"
	NeedContinue Need = "continue" // a press that says: as this user
	NeedConsent  Need = "consent"
)

// noneRefusals are what prompt=none is answered with for each need: OpenID Connect Core §3.1.2.6.
var noneRefusals = map[Need]string{
	NeedSignIn: oidc.LoginRequired, NeedSignUp: oidc.LoginRequired, NeedContinue: oidc.InteractionRequired, NeedConsent: oidc.ConsentRequired,
}

// Authorized is what becomes of an authorization request: a code, a refusal that the app is told of, or a need.
type Authorized struct {
	Code    string
	Refusal string // an error of RFC 6749 §4.1.2.1 or OpenID Connect Core §3.1.2.6; empty: none
	Need    Need
	Account Account // the page session's, where there is one: whom a page asks
}

// Authorize answers a request that oidc.Read found good, of the browser that shows pageToken (empty: none). flow says when
// it began in this browser, and what was pressed since. CodeTooManyRequests where its page session has made as many codes
// as it may.
func (s *Service) Authorize(ctx context.Context, request oidc.Request, flow oidc.Flow, pageToken string, peer peer.Peer) (Authorized, error) {
	session, user, err := s.signedIn(ctx, pageToken)
	if err != nil {
		return Authorized{}, err
	}
	a := Authorized{Account: Account{Email: user.Email, FirstName: user.FirstName, LastName: user.LastName, Language: user.Language}}
	if a.Need, err = s.needOf(ctx, request, flow, session); err != nil {
		return Authorized{}, err
	}
	switch {
	case a.Need == NeedNothing:
	case request.Prompt.Has(oidc.PromptNone):
		a.Refusal = noneRefusals[a.Need]
		return a, nil
	case a.Need == NeedSignUp && !s.o.SignupOpen:
		a.Refusal = oidc.AccessDenied
		return a, nil
	default:
		return a, nil
	}
	a.Code, err = s.grantCode(ctx, request, flow, session, user, peer)
	return a, err
}

// signedIn is the page session of a browser and its user; zero where nobody is signed in.
func (s *Service) signedIn(ctx context.Context, pageToken string) (session store.Session, user store.User, err error) {
	if pageToken == "" {
		return store.Session{}, store.User{}, nil
	}
	caller, err := s.PageCaller(ctx, pageToken)
	if CodeOf(err) == CodeInvalidToken {
		return store.Session{}, store.User{}, nil
	}
	if err != nil {
		return store.Session{}, store.User{}, err
	}
	if session, err = s.o.Store.SessionByID(ctx, caller.SessionID); err == nil {
		user, err = s.o.Store.UserByID(ctx, caller.UserID)
	}
	if errors.Is(err, store.ErrNotFound) || !user.DisabledAt.IsZero() { // gone since
		return store.Session{}, store.User{}, nil
	}
	return session, user, err
}

func (s *Service) needOf(ctx context.Context, r oidc.Request, flow oidc.Flow, session store.Session) (Need, error) {
	proved := session.ID != "" && flow.Proved == session.ID
	pressed := proved || session.ID != "" && flow.Continued == session.ID
	old := r.HasMaxAge && s.now().Sub(session.AuthTime) > r.MaxAge
	switch {
	case r.Prompt.Has(oidc.PromptCreate) && !pressed:
		return NeedSignUp, nil
	case session.ID == "", (r.Prompt.Has(oidc.PromptLogin) || old) && !proved:
		return NeedSignIn, nil
	case !pressed && (r.Prompt.Has(oidc.PromptSelectAccount) || r.Prompt.Has(oidc.PromptConsent) && !r.Client.Consent):
		return NeedContinue, nil
	case !pressed && !r.Client.Confidential() && clients.Claimable(r.RedirectURI, s.o.Issuer):
		// Any local program can claim such a redirect URI: it would get a code without anybody knowing (RFC 8252 §8.6).
		return NeedContinue, nil
	case !pressed && r.IDTokenHint != "":
		hint, err := s.readHint(ctx, r.IDTokenHint)
		switch {
		case err != nil:
			return NeedNothing, err
		case hint.Subject == session.UserID:
		case r.Prompt.Has(oidc.PromptNone): // whom the app means is not signed in (OpenID Connect Core §3.1.2.1)
			return NeedSignIn, nil
		default:
			return NeedContinue, nil
		}
	}
	if r.Client.Consent && r.Prompt.Has(oidc.PromptConsent) && flow.Consented != session.ID {
		return NeedConsent, nil
	}
	var need Need
	err := s.o.Store.Read(ctx, func(tx *store.Tx) (err error) {
		need, err = s.needByRows(tx, r, proved, session)
		return err
	})
	return need, err
}

// needByRows is what the database alone knows, whatever was pressed before: that the app's session was ended, or what
// was allowed. A password that was given for this very request is a press.
func (s *Service) needByRows(tx *store.Tx, r oidc.Request, proved bool, session store.Session) (Need, error) {
	if ended, err := tx.AppEnded(session.ID, r.Client.Alias); err != nil || ended && !proved {
		return NeedContinue, err
	}
	if allowed, err := s.allows(tx, session.UserID, r.Client, r.Scopes); err != nil || !allowed {
		return NeedConsent, err
	}
	return NeedNothing, nil
}

// allows says whether a user's consent covers scopes, where the client needs one.
func (s *Service) allows(tx *store.Tx, userID string, client clients.Client, scopes []string) (bool, error) {
	if !client.Consent {
		return true, nil
	}
	given, err := tx.Consent(userID, client.Alias)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	asked := oidc.Join(scopes)
	return err == nil && oidc.Common(asked, oidc.Split(given.Scope)) == asked, err
}

// grantCode makes the code for a user who is held: the page session must still be alive, and what the database knows
// must still need nothing, else it is CodeUnavailable, and the browser asks again.
func (s *Service) grantCode(ctx context.Context, r oidc.Request, flow oidc.Flow, session store.Session, user store.User, peer peer.Peer) (string, error) {
	code, hash := newCode()
	now, d := s.now(), peer.Describe()
	row := store.Code{
		Hash: hash, Client: r.Client.Alias, RedirectURI: r.RedirectURI, Challenge: r.Challenge, Nonce: r.Nonce,
		Scope: oidc.Join(r.Scopes), Resource: r.Resource,
		UserID: user.ID, Epoch: user.Epoch, PageSession: session.ID,
		AuthTime: session.AuthTime, AMR: session.AMR, ACR: session.ACR,
		CreatedAt: now, ExpiresAt: now.Add(codeLife),
		Browser: d.Browser, BrowserVersion: d.BrowserVersion, OS: d.OS, DeviceType: d.DeviceType, UserAgent: d.UserAgent, Addr: d.Addr,
	}
	err := s.throttle.WithinCodes(ctx, throttle.GrantLimit, user.ID, session.ID, peer, now, func(tx *store.Tx) error {
		if _, err := tx.TakeUser(user.ID, user.Epoch); err != nil {
			return err
		}
		page, err := tx.SessionByID(session.ID)
		if err != nil {
			return err
		}
		need, err := s.needByRows(tx, r, flow.Proved == session.ID, session)
		if err != nil {
			return err
		}
		if !page.AliveAt(now) || need != NeedNothing {
			return store.ErrNotFound
		}
		tx.InsertCode(row)
		tx.ForgetAppEnd(session.ID, r.Client.Alias)
		return nil
	})
	if errors.Is(err, store.ErrNotFound) { // changed since it was looked at
		return "", unavailable(errMovedOn)
	}
	if err != nil {
		return "", err
	}
	return code, nil
}

// Press notes that the caller said: sign me in to this app as this user.
func (s *Service) Press(ctx context.Context, caller Caller, client clients.Client) error {
	return s.o.Store.Write(ctx, func(tx *store.Tx) error {
		if err := s.holdCaller(tx, caller); err != nil {
			return err
		}
		tx.ForgetAppEnd(caller.SessionID, client.Alias)
		return nil
	})
}

// Consent keeps what the caller allows a client, beside what they allowed it before.
func (s *Service) Consent(ctx context.Context, caller Caller, r oidc.Request, peer peer.Peer) error {
	now := s.now()
	return s.o.Store.Write(ctx, func(tx *store.Tx) error {
		if err := s.holdCaller(tx, caller); err != nil {
			return err
		}
		before, err := tx.Consent(caller.UserID, r.Client.Alias)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		tx.PutConsent(caller.UserID, store.Consent{Client: r.Client.Alias, Scope: oidc.Join(oidc.Union(oidc.Split(before.Scope), r.Scopes)), GrantedAt: now})
		audit.Write(tx, now, audit.Event{Kind: audit.ConsentGiven, UserID: caller.UserID, SessionID: caller.SessionID}, peer)
		return nil
	})
}

// Consented is what a user allowed a client.
type Consented struct {
	Client    string
	Scopes    []string
	GrantedAt time.Time
}

// Consents lists what the caller allowed, by client.
func (s *Service) Consents(ctx context.Context, caller Caller) ([]Consented, error) {
	var rows []store.Consent
	err := s.o.Store.Read(ctx, func(tx *store.Tx) (err error) {
		rows, err = tx.Consents(caller.UserID)
		return err
	})
	list := make([]Consented, len(rows))
	for i, row := range rows {
		list[i] = Consented{Client: row.Client, Scopes: oidc.Split(row.Scope), GrantedAt: row.GrantedAt}
	}
	return list, err
}

// RevokeConsent takes back what the caller allowed a client, and ends that client's sessions of the caller. What was
// never allowed is a success.
func (s *Service) RevokeConsent(ctx context.Context, caller Caller, client string, peer peer.Peer) error {
	now := s.now()
	return s.o.Store.Write(ctx, func(tx *store.Tx) error {
		if err := s.holdCaller(tx, caller); err != nil {
			return err
		}
		err := tx.DropConsent(caller.UserID, client)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		tx.DropCodes(caller.UserID, client, "")
		ids, err := tx.EndSessionsOf(caller.UserID, client, kindOAuth, ReasonConsentRevoked, now)
		if err != nil {
			return err
		}
		audit.WriteEnded(tx, now, ids, audit.Event{Outcome: ReasonConsentRevoked, UserID: caller.UserID}, peer)
		audit.Write(tx, now, audit.Event{Kind: audit.ConsentRevoked, UserID: caller.UserID, SessionID: caller.SessionID}, peer)
		return nil
	})
}
