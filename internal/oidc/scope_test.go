package oidc

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"latchkey/internal/clients"
)

func TestGrantable(t *testing.T) {
	party := clients.Client{Alias: "party", Consent: true}
	for _, tc := range []struct {
		name   string
		client clients.Client
		asked  []string
		want   []string
	}{
		{"nothing", shop(), nil, nil},
		{"what everybody may have", shop(), []string{"offline_access", "profile", "email", "openid"}, []string{"openid", "email", "profile", "offline_access"}},
		{"twice", shop(), []string{"email", "email"}, []string{"email"}},
		{"what there is not", shop(), []string{"phone", "OPENID", "", "open id"}, nil},
		{"account, of a client that may", desk(), []string{"account", "openid"}, []string{"openid", "account"}},
		{"account, of one that may not", shop(), []string{"account", "openid"}, []string{"openid"}},
		{"a third party", party, []string{"openid", "offline_access", "account"}, []string{"openid", "offline_access"}},
	} {
		if diff := cmp.Diff(tc.want, Grantable(tc.client, tc.asked)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.name, diff)
		}
	}
	if diff := cmp.Diff(Scopes(), Grantable(desk(), Scopes())); diff != "" {
		t.Errorf("a client that may have everything (-want +got):\n%s", diff)
	}
}
