package auth

// What goes in and out of the rules: the vocabulary of this package. internal/server translates it
// to and from the wire, internal/store keeps it in rows.

import (
	"time"

	"latchkey/internal/oidc"
	"latchkey/internal/peer"
)

// ClientCredentials are what a client says under /oauth: its alias, and its secret as it was sent.
type ClientCredentials struct {
	Alias, Secret string
}

// String keeps the secret out of logs.
func (c ClientCredentials) String() string { return c.Alias }

// GoString keeps the secret out of %#v.
func (c ClientCredentials) GoString() string { return c.Alias }

// Caller is a user whose Bearer token was accepted and whose session was alive a moment ago.
type Caller struct {
	UserID    string
	SessionID string
	Client    string
	Scope     string
	ExpiresAt time.Time
	RunOut    bool // of AuthenticateLeaver alone: the token has expired, and the session may have ended
	OnPages   bool // the session is that of a browser on the hosted pages
	AnyClaims bool // userinfo says all there is, whatever the scope: the session was made at /auth/signin
}

// Tokens are what sign-in and refresh hand out.
type Tokens struct {
	AccessToken      string
	ExpiresIn        time.Duration // of the access token, whole seconds
	RefreshToken     string
	RefreshExpiresIn time.Duration
	SessionID        string
	UserID           string // for the request log; not on the wire
	IDToken          string // of an app's session with the scope openid; empty: none
	Device           string // a device token, set by sign-in
	Scope            string
}

// PageSession is what signing in on a page hands out.
type PageSession struct {
	Token  string // for the browser's cookie
	Device string // a device token
	MaxAge time.Duration
	Caller Caller
}

// Password is a password as it came in. Plain is set when the caller says it is not encrypted for
// transport (isPasswordEncrypted: false).
type Password struct {
	Value string
	Plain bool
}

// String keeps the value out of logs.
func (Password) String() string { return "[redacted]" }

// GoString keeps the value out of %#v.
func (Password) GoString() string { return "[redacted]" }

type (
	SignIn struct {
		Email       string
		Password    Password
		ClientAlias string
		Replaces    string // the page token that the browser has had until now; empty: none
	}
	SignOut struct {
		Sessions []string // nil: the current one
		Listed   bool     // a list was sent, perhaps an empty one
		Others   bool     // all but the current
	}
	ForgotPassword struct {
		Email, BrandLogoURL, PlatformName, Endpoint, ClientAlias string
		Hosted                                                   bool       // the link leads to our own pages, whatever the client's URL
		Flow                                                     *oidc.Flow // that goes on there; nil: none
	}
	ResetPassword struct {
		Email    string
		Password Password
		Token    string
	}
	ChangePassword struct {
		Email                    string
		OldPassword, NewPassword Password
	}
	PasswordCheck struct {
		Password                   Password
		Email, FirstName, LastName string // of whose it would be, as far as they are known
	}
	VerificationMail struct {
		Email, BrandLogoURL, PlatformName, ClientAlias string
		Hosted                                         bool       // likewise
		Flow                                           *oidc.Flow // likewise
	}
	SignUp struct {
		Email            string
		Password         Password
		FirstName        string
		LastName         string
		VerificationCode string
		ClientAlias      string
	}
)

// SignedUp is what signing up hands out.
type SignedUp struct {
	UserID string
	Device string // a device token
}

// CheckedPassword is what the server would say to a new password.
type CheckedPassword struct {
	Accepted bool
	Strength string // of an accepted one: weak, fair, good, strong
	Reason   string // of a refusal: the code of the field
	Message  string // one sentence for people
}

// Requested is the answer to forgot-password: it names nothing that can be asked about.
type Requested struct {
	ID    string
	Email string // as submitted
}

// Session is a session as its owner and the operator may see it: no token, hash or generation.
type Session struct {
	ID         string
	UserID     string
	Client     string
	Via        string // what made it: auth (its API), page (the hosted pages) or oauth (an app)
	Parent     string // the page session that it came from; empty: none
	CreatedAt  time.Time
	LastUsedAt time.Time // the sign-in or the last refresh
	ExpiresAt  time.Time // the earlier of inactivity and overall limit
	EndedAt    time.Time // zero while it lives
	EndReason  string
	Current    bool
	Device     peer.Device
}

// Account is an account as its owner may see it.
type Account struct {
	Email, FirstName, LastName string
	Language                   string // a tag of internal/locale, as set; empty: nothing is
	Sessions, Ended            []Session
}

// User is an account as the operator may see it.
type User struct {
	ID          string
	Email       string
	FirstName   string
	LastName    string
	HasPassword bool
	CreatedAt   time.Time
	VerifiedAt  time.Time // zero: mailbox not proven
	DisabledAt  time.Time // zero: enabled
	Language    string    // set by the owner, a tag of internal/locale; empty: none
}

// NewUser is what `latchkey user add` takes.
type NewUser struct {
	Email, FirstName, LastName string
	Unverified                 bool
	Password                   *string // nil: none yet
}

// UserInfo is what GET /auth/userinfo says of the caller (OpenID Connect Core §5.3).
type UserInfo struct {
	Subject, Email, FirstName, LastName string
	EmailVerified                       bool
}

// Introspection is RFC 7662's answer. Only Active is meaningful when it is false.
type Introspection struct {
	Active              bool
	TokenType           string // "Bearer" for access tokens, "refresh_token" otherwise
	Scope, ClientID     string
	Username, Subject   string
	Issuer, Audience    string
	SessionID, TokenID  string
	IssuedAt, ExpiresAt time.Time
	NotBefore           time.Time
}

// Explanation says why a session is as it is.
type Explanation struct {
	Session Session
	Alive   bool
	Reason  string // of the end; also computed for one that has expired and is not swept yet
}
