package oidc

// The clients, requests and keys that the tests share.

import (
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"latchkey/internal/clients"
	"latchkey/internal/token"
)

const (
	issuer = "https://id.example.org"

	// RFC 7636 Appendix B.
	verifier  = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"

	shopURI   = "https://shop.example/callback"
	tenantURI = "https://shop.example/callback?tenant=a%2Fb"
	appURI    = "com.example.shop:/callback"
	localURI  = "http://127.0.0.1/callback"
	local6URI = "http://[::1]:4711/callback"

	testKey  = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=" // 0x00 … 0x1f
	otherKey = "Hx4dHBsaGRgXFhUUExIREA8ODQwLCgkIBwYFBAMCAQA=" // 0x1f … 0x00
)

// knownFlow is testFlow, sealed once under testKey.
const knownFlow = "4X_BhSh-lpIOLiLNGxN0AHeTYAAsITAWUB7dIj6D_l-VVs1yFbXM-yanZGjJZHC1TJMywzBR8HUXSLzYX0EuhmvoNAm-nW0Qg6Vu" +
	"W5mexateChPghMrdjrmATE5EhY495jQMmYLuAHviHEt7XehYO00Lsw5looCPsrFEIrjzmb5k_SGtPzoTVyzwBK92y-u93_L-12qw" +
	"IqxXU9r1E6cEOEZIiY1gA1PQh4Te6tMCKcdINwfSqzSE9YAvKeORVQeVCQd_AtXV0vZNDuwmNm3oE7tHGkengSBLnXt3yU4ghuin" +
	"22rcC7lkgCjA6mHdgzJbyhSnS6fzGq76P_Po80bhxoiRhZfwc4xk9BeL5cKwyyxZb1vpofycdOp4_SA-4OyIj4QenZTx0xU-cvLL" +
	"0x65Ox2yq7kcmkXRgoxOEb7Uu-e1H48vWmIL-acQxwHlltFvqUgVGYONwVGVgEpv3vlMQabA66ypflobfab4uO4gzC1c2bhj194E" +
	"7otBxVRc_lj4O1ZJzX4Jlw-bt6t5Ww3Ld-lXXwGaDhkpCKlej8o-bRfqIq6hKHeQ0oNvycbTRQ1Wz_ZPnMm14Md_SNosCTYAv2Hx" +
	"sd8-9qKCnRAKIqNyXMW3XlDQ7oENTH_d83Lz5W4"

// at is when the tests' requests come.
var at = time.Date(2026, 11, 29, 12, 0, 0, 123_456_000, time.UTC)

func shop() clients.Client {
	return clients.Client{
		Alias:        "shop",
		URL:          "https://shop.example",
		RedirectURIs: []string{shopURI, tenantURI, appURI, localURI, local6URI},
		Audiences:    []string{"https://api.shop.example", "https://stock.shop.example"},
	}
}

func desk() clients.Client {
	return clients.Client{
		Alias:        "desk",
		URL:          "https://desk.example",
		RedirectURIs: []string{"https://desk.example/callback"},
		Account:      true,
	}
}

// set is a clients file of these clients, and of one that registered no redirect URI.
func set(t testing.TB, list ...clients.Client) *clients.Set {
	t.Helper()
	registered, err := clients.New(append(list, clients.Client{Alias: "mails", URL: "https://mails.example", Default: true}))
	if err != nil {
		t.Fatal(err)
	}
	return registered
}

func keys(t testing.TB, text string) *token.MasterKeys {
	t.Helper()
	m, err := token.ParseMasterKeys(text)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// asked is the least that shop can ask for, with parameters set, or left out where their value is empty.
func asked(with ...string) url.Values {
	query := url.Values{
		"response_type":         {"code"},
		"client_id":             {"shop"},
		"redirect_uri":          {shopURI},
		"code_challenge":        {challenge},
		"code_challenge_method": {"S256"},
	}
	for i := 0; i < len(with); i += 2 {
		if query.Set(with[i], with[i+1]); with[i+1] == "" {
			query.Del(with[i])
		}
	}
	return query
}

// sent adds values to parameters that a request has already.
func sent(query url.Values, more ...string) url.Values {
	for i := 0; i < len(more); i += 2 {
		query.Add(more[i], more[i+1])
	}
	return query
}

// sameClient compares clients by what names them.
var sameClient = cmp.Comparer(func(a, b clients.Client) bool { return a.Alias == b.Alias })
