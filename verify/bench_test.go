package verify_test

// What a check costs, beside go-oidc alone, which makes fewer checks; and what 10,000 ends add. A core's checks a second
// are of CPU time: other programs on the machine do not count.

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"latchkey/internal/auth"
	"latchkey/internal/token"
	"latchkey/verify"
)

const mostTold = 10_000 // ends, in an answer of the feed

// manyEnds are as many as the feed tells at most.
func manyEnds() []string {
	ids := make([]string, mostTold)
	for i := range ids {
		ids[i] = fmt.Sprintf("0198f3a0-0000-7000-8000-%012d", i)
	}
	return ids
}

// bench is a node whose feed tells of 10,000 ends, and a token of it.
func bench(t testing.TB, alg string) (*node, string) {
	t.Helper()
	n := newNode(t, func(o *auth.Options) { o.SigningAlg = alg })
	ids := manyEnds()
	n.tells(func(r *token.Revocations) { r.Sessions = ids })
	n.calm.Store(true)
	return n, n.token()
}

func BenchmarkVerify(b *testing.B) {
	for _, alg := range []string{"ES256", "EdDSA", "RS256"} {
		n, raw := bench(b, alg)
		check := func(b *testing.B, v *verify.Verifier) {
			measure(b, func() error {
				_, err := v.Verify(b.Context(), raw, verify.Require{})
				return err
			})
		}
		b.Run(alg+"/ours", func(b *testing.B) { check(b, newVerifier(b, n.config())) })
		b.Run(alg+"/ours with 10,000 ends", func(b *testing.B) { check(b, newVerifier(b, n.withFeed(0))) })
		b.Run(alg+"/go-oidc", func(b *testing.B) {
			keys := oidc.NewRemoteKeySet(oidc.ClientContext(b.Context(), leadingTo(n.door)), n.Options.Issuer+keysPath)
			v := oidc.NewVerifier(n.Options.Issuer, keys, &oidc.Config{ClientID: n.Options.Audience, SupportedSigningAlgs: []string{alg}})
			measure(b, func() error {
				_, err := v.Verify(b.Context(), raw)
				return err
			})
		})
	}
}

func measure(b *testing.B, check func() error) {
	if err := check(); err != nil { // the keys are had, and the feed's first answer
		b.Fatal(err)
	}
	b.ReportAllocs()
	began := used(b)
	for b.Loop() {
		if err := check(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/(used(b)-began).Seconds(), "checks/s/core")
}

// used is the CPU time of this process so far.
func used(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// 10,000 ends cost a check less than a millisecond: the whole check takes less, at its fastest.
func TestManyEndsCostLittle(t *testing.T) {
	n, raw := bench(t, "ES256")
	v := newVerifier(t, n.withFeed(-1))
	fastest := patience
	for range 200 {
		began := time.Now()
		if got := code(t, v, raw); got != "" {
			t.Fatal(got)
		}
		fastest = min(fastest, time.Since(began))
	}
	if fastest > time.Millisecond {
		t.Errorf("a check takes %v at its fastest", fastest)
	}
}
