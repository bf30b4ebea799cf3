package main

import "testing"

func TestMappedProxies(t *testing.T) {
	for value, want := range map[string]string{
		"::ffff:10.0.0.0/104": "10.0.0.0/8", "::ffff:10.1.2.3/128": "10.1.2.3/32", "::ffff:10.1.2.3": "10.1.2.3/32",
		"::ffff:0.0.0.0/96": "0.0.0.0/0", "::ffff:c0a8:100/120": "192.168.1.0/24", "::ffff:10.9.9.9/104": "10.0.0.0/8",
		"10.0.0.0/8": "10.0.0.0/8", "fd00::/8": "fd00::/8", "2001:db8::1": "2001:db8::1/128",
		"::ffff:10.0.0.0/95": "", "::ffff:10.0.0.0/129": "", "::ffff:10.0.0.0/": "",
	} {
		c := new(config)
		err := c.setProxies(value)
		got := ""
		if err == nil {
			got = c.TrustedProxies[0].String()
		}
		if got != want {
			t.Errorf("%s: %q (%v), want %q", value, got, err, want)
		}
	}
}
