package api

// What the server answers, inside Response or bare.

// Tokens is the data of sign-in and refresh.
type Tokens struct {
	AccessToken      string `json:"access_token"`
	TokenType        string `json:"token_type"`
	ExpiresIn        int64  `json:"expires_in"` // seconds
	RefreshToken     string `json:"refresh_token"`
	RefreshExpiresIn int64  `json:"refresh_expires_in"` // seconds
	SessionID        string `json:"sessionId"`
	SessionState     string `json:"session_state"` // the same id, under the name existing clients read
	Scope            string `json:"scope"`
}

// Session is one entry of GET /auth/{id}/sessions.
type Session struct {
	ID          string  `json:"id"`
	UserID      string  `json:"userId"`
	SessionType string  `json:"sessionType"`
	CreatedAt   Time    `json:"createdAt"`
	LastUsedAt  Time    `json:"lastUsedAt"`
	ExpiresAt   Time    `json:"expiresAt"`
	Current     bool    `json:"current"`
	ClientInfo  string  `json:"clientInfo"` // JSON in a string, because existing clients parse it
	Client      Browser `json:"client"`
}

// Browser is what made a session.
type Browser struct {
	Browser        string `json:"browser"`
	BrowserVersion string `json:"browserVersion"`
	OS             string `json:"os"`
	DeviceType     string `json:"deviceType"`
	IP             string `json:"ip"`
}

// ClientInfo is the JSON inside Session.ClientInfo.
type ClientInfo struct {
	Browser    string `json:"browser"` // with its version: "Chrome 140"
	OS         string `json:"os"`
	DeviceType string `json:"deviceType"`
	RawDetail  string `json:"rawDetail"`
	IP         string `json:"ip"`
}

// Requested is the data of forgot-password. ID names nothing that can be asked about.
type Requested struct {
	ID    string `json:"id"`
	Email string `json:"email"`
}

// PasswordCheck is the data of password-check.
type PasswordCheck struct {
	Accepted bool   `json:"accepted"`
	Strength string `json:"strength,omitzero"` // of an accepted one: weak, fair, good, strong
	Reason   string `json:"reason,omitzero"`   // of a refusal: what errors[].code would say
}

// SignedUp is the data of sign-up.
type SignedUp struct {
	UserID string `json:"userId"`
}

// ClientAlias is one entry of GET /auth/clientAliases.
type ClientAlias struct {
	ClientAlias string `json:"clientAlias"`
	ClientURL   string `json:"clientUrl"`
}

// UserInfo is the bare answer of GET /auth/userinfo (OpenID Connect Core §5.3).
type UserInfo struct {
	Subject       string `json:"sub"`
	Email         string `json:"email"`
	EmailVerified bool   `json:"email_verified"`
	Name          string `json:"name"`
	GivenName     string `json:"given_name"`
	FamilyName    string `json:"family_name"`
}

// Introspection is the bare answer of POST /oauth/introspect (RFC 7662 §2.2). All but Active is
// left out when that is false.
type Introspection struct {
	Active    bool   `json:"active"`
	TokenType string `json:"token_type,omitzero"`
	Scope     string `json:"scope,omitzero"`
	ClientID  string `json:"client_id,omitzero"`
	Username  string `json:"username,omitzero"`
	Subject   string `json:"sub,omitzero"`
	Audience  string `json:"aud,omitzero"`
	Issuer    string `json:"iss,omitzero"`
	SessionID string `json:"sid,omitzero"`
	TokenID   string `json:"jti,omitzero"`
	IssuedAt  int64  `json:"iat,omitzero"`
	ExpiresAt int64  `json:"exp,omitzero"`
	NotBefore int64  `json:"nbf,omitzero"`
}

// SessionDetails is GET /auth/sessionDetails, which only the existing web client has: null for a session that
// is not alive.
type SessionDetails struct {
	ID           string `json:"id"`
	SessionToken string `json:"sessionToken"` // an access token
	RefreshToken string `json:"refreshToken"`
	UserID       string `json:"userId"`
	Expires      int64  `json:"expires"` // seconds, of the access token
	ExpiresAt    Time   `json:"expiresAt"`
	CreatedAt    Time   `json:"createdAt"`
	UpdatedAt    Time   `json:"updatedAt"`
	SessionType  string `json:"sessionType"`
	ClientInfo   string `json:"clientInfo"` // JSON in a string: ClientInfo
}

// AuthorizationServer is GET /.well-known/oauth-authorization-server (RFC 8414 §2), as far as a resource server
// needs it: Latchkey has no authorization endpoint, and lists that would be empty are left out, as RFC 8414 §3.2 asks.
type AuthorizationServer struct {
	Issuer                   string   `json:"issuer"`
	JWKSURI                  string   `json:"jwks_uri"`
	IntrospectionEndpoint    string   `json:"introspection_endpoint"`
	IntrospectionAuthMethods []string `json:"introspection_endpoint_auth_methods_supported"`
	RevocationEndpoint       string   `json:"revocation_endpoint"`
	RevocationAuthMethods    []string `json:"revocation_endpoint_auth_methods_supported"`
	Scopes                   []string `json:"scopes_supported"`
}

// Discovery is GET /.well-known/openid-configuration (OpenID Connect Discovery §3). Latchkey issues no ID token.
type Discovery struct {
	AuthorizationServer
	UserinfoEndpoint       string   `json:"userinfo_endpoint"`
	SubjectTypes           []string `json:"subject_types_supported"`
	IDTokenSigningAlgs     []string `json:"id_token_signing_alg_values_supported,omitempty"`
	AccessTokenSigningAlgs []string `json:"access_token_signing_alg_values_supported,omitempty"`
	Claims                 []string `json:"claims_supported"`
}
