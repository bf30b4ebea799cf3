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
	ClientAlias string  `json:"clientAlias"` // of the client that it was made for
	Via         string  `json:"via"`         // what made it: auth (this API), page (the hosted pages) or oauth (an app)
	ClientInfo  string  `json:"clientInfo"`  // JSON in a string, because existing clients parse it
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

// UserInfo is the bare answer of GET /auth/userinfo (OpenID Connect Core §5.3). To an app it says what its scope allows.
type UserInfo struct {
	Subject       string `json:"sub"`
	Email         string `json:"email,omitzero"`
	EmailVerified bool   `json:"email_verified,omitzero"`
	Name          string `json:"name,omitzero"`
	GivenName     string `json:"given_name,omitzero"`
	FamilyName    string `json:"family_name,omitzero"`
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

// Revocations are the claims of the JWT (typ revocations+jwt) that GET and POST /oauth/revocations answer: all sessions
// that ended while an access token of theirs may be good. A verifier refuses every token whose sid is among SessionIDs, or
// whose iat is not after Floor where that is set.
type Revocations struct {
	Issuer     string   `json:"iss"`
	Audience   string   `json:"aud"`            // the client that polls
	IssuedAt   int64    `json:"iat"`            // as of when all ends are told
	ExpiresAt  int64    `json:"exp"`            // a minute later
	Cursor     string   `json:"cursor"`         // goes into the next poll as after; it means nothing else
	SessionIDs []string `json:"sids"`           // the last to end first, at most 10,000
	Floor      int64    `json:"floor,omitzero"` // the newest end that is not told; 0: all are
}

// AppTokens is the bare answer of POST /oauth/token (RFC 6749 §5.1; OpenID Connect Core §3.1.3.3).
type AppTokens struct {
	AccessToken      string `json:"access_token"`
	TokenType        string `json:"token_type"`
	ExpiresIn        int64  `json:"expires_in"` // seconds
	RefreshToken     string `json:"refresh_token,omitzero"`
	RefreshExpiresIn int64  `json:"refresh_expires_in,omitzero"` // seconds
	IDToken          string `json:"id_token,omitzero"`
	Scope            string `json:"scope,omitzero"` // as granted
}

// Consent is one entry of GET /auth/consents.
type Consent struct {
	ClientAlias string   `json:"clientAlias"`
	Scopes      []string `json:"scopes"`
	GrantedAt   Time     `json:"grantedAt"`
}

// AuthorizationServer is GET /.well-known/oauth-authorization-server (RFC 8414 §2). Where no cookie is set, as on a public
// URL of http, nothing is said of authorization: lists that would be empty are left out, as RFC 8414 §3.2 asks.
type AuthorizationServer struct {
	Issuer                   string   `json:"issuer"`
	AuthorizationEndpoint    string   `json:"authorization_endpoint,omitzero"`
	TokenEndpoint            string   `json:"token_endpoint"`
	TokenAuthMethods         []string `json:"token_endpoint_auth_methods_supported"`
	Grants                   []string `json:"grant_types_supported"`
	ResponseTypes            []string `json:"response_types_supported,omitempty"`
	ResponseModes            []string `json:"response_modes_supported,omitempty"`
	ChallengeMethods         []string `json:"code_challenge_methods_supported,omitempty"`
	Prompts                  []string `json:"prompt_values_supported,omitempty"`
	UILocales                []string `json:"ui_locales_supported"`
	IssuerInAnswers          bool     `json:"authorization_response_iss_parameter_supported"`
	RequestObjects           bool     `json:"request_parameter_supported"`     // never
	RequestURIs              bool     `json:"request_uri_parameter_supported"` // never; left out it would mean yes
	JWKSURI                  string   `json:"jwks_uri"`
	IntrospectionEndpoint    string   `json:"introspection_endpoint"`
	IntrospectionAuthMethods []string `json:"introspection_endpoint_auth_methods_supported"`
	RevocationEndpoint       string   `json:"revocation_endpoint"`
	RevocationAuthMethods    []string `json:"revocation_endpoint_auth_methods_supported"`
	RevocationsEndpoint      string   `json:"latchkey_revocations_endpoint"` // Latchkey's own: see Revocations
	Scopes                   []string `json:"scopes_supported"`
}

// Discovery is GET /.well-known/openid-configuration (OpenID Connect Discovery §3).
type Discovery struct {
	AuthorizationServer
	UserinfoEndpoint       string   `json:"userinfo_endpoint"`
	EndSessionEndpoint     string   `json:"end_session_endpoint"`
	BackchannelLogout      bool     `json:"backchannel_logout_supported"`         // always
	BackchannelSession     bool     `json:"backchannel_logout_session_supported"` // always: each logout token names its session
	ACRs                   []string `json:"acr_values_supported"`
	SubjectTypes           []string `json:"subject_types_supported"`
	IDTokenSigningAlgs     []string `json:"id_token_signing_alg_values_supported,omitempty"`
	AccessTokenSigningAlgs []string `json:"access_token_signing_alg_values_supported,omitempty"`
	Claims                 []string `json:"claims_supported"`
}
