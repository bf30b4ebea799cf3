package token

// What the hot paths cost: go test -bench . -benchmem ./internal/token

import "testing"

func BenchmarkSignRefresh(b *testing.B) {
	m := ring(b, testKey)
	r := testRefresh()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.SignRefresh(r); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseRefresh(b *testing.B) {
	m := ring(b, testKey)
	raw, err := m.SignRefresh(testRefresh())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.ParseRefresh(raw); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSignAccess(b *testing.B) {
	for _, alg := range algorithms {
		b.Run(alg, func(b *testing.B) {
			r := NewKeyRing(AccessType, []SigningKey{signingKey(b, alg)})
			a := testAccess()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := r.SignAccess(a, at); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkParseAccess(b *testing.B) {
	for _, alg := range algorithms {
		b.Run(alg, func(b *testing.B) {
			r := NewKeyRing(AccessType, []SigningKey{signingKey(b, alg)})
			raw, err := r.SignAccess(testAccess(), at)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := r.ParseAccess(raw, issuer, at); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
