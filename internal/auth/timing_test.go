package auth_test

// I9 in time: nobody without the right password can tell a known account from an unknown one by how
// long an answer takes. Samples of both are interleaved in a random order, so that the machine's moods
// hit them alike, and compared by rank.

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"latchkey/api"
	"latchkey/client"
	"latchkey/internal/auth"
	"latchkey/internal/authtest"
)

// samples is how many of each class are taken: 400 in the long lane.
func samples() int {
	if longRigs() {
		return 400
	}
	return 100
}

func TestTimingKnownAgainstUnknown(t *testing.T) {
	n := samples()
	r := authtest.New(t, authtest.SQLite(t), func(o *auth.Options) { o.Throttle = false })
	ctx := context.Background()
	for i := range n {
		r.AddUser(t, known(i))
	}
	wrongToken := "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	for name, ask := range map[string]func(email string) error{
		"signin": func(email string) error {
			_, err := r.SignIn(ctx, api.SignInRequest{Email: email, Password: "wrong password"})
			return wanted(err, "invalid_credentials")
		},
		"forgot-password": func(email string) error {
			_, err := r.ForgotPassword(ctx, api.ForgotPasswordRequest{Email: email})
			return err
		},
		"verification-mail": func(email string) error {
			return r.RequestVerification(ctx, api.VerificationMailRequest{Email: email})
		},
		"password-reset": func(email string) error {
			err := r.ResetPassword(ctx, email, api.PasswordResetRequest{Password: "another fine passphrase", Token: wrongToken})
			return wanted(err, "invalid_reset_token")
		},
		"reset-password": func(email string) error {
			err := r.ChangePassword(ctx, "", api.ChangePasswordRequest{Email: email, OldPassword: "wrong password", NewPassword: "another fine passphrase"})
			return wanted(err, "invalid_credentials")
		},
	} {
		t.Run(name, func(t *testing.T) {
			// A chance of 1 in 1,000 to be unlucky is one in a million twice; a difference shows both times.
			var p float64
			for range 2 {
				if p = compare(t, n, ask); p >= 0.001 {
					return
				}
			}
			t.Errorf("known and unknown accounts are told apart by time, p = %.2g", p)
		})
	}
}

func known(i int) string { return fmt.Sprintf("known%04d@example.com", i) }

// wanted is nil when err is the refusal that was asked for.
func wanted(err error, code string) error {
	if client.CodeOf(err) != code {
		return fmt.Errorf("got %w, want %s", err, code)
	}
	return nil
}

// compare takes n samples of each class and returns the chance of such a difference in rank if there
// were none. Which class comes first in each pair is left to chance: in a regular order the collector's
// cycle, which a hash's memory drives, would fall on the same class each time.
func compare(t *testing.T, n int, ask func(email string) error) (p float64) {
	t.Helper()
	emails := [2]func(int) string{known, func(i int) string { return fmt.Sprintf("other%04d@example.com", i) }}
	var classes [2][]time.Duration
	for i := range n {
		first := rand.IntN(2)
		for _, class := range [2]int{first, 1 - first} {
			began := time.Now()
			if err := ask(emails[class](i)); err != nil {
				t.Fatal(err)
			}
			classes[class] = append(classes[class], time.Since(began))
		}
	}
	p = rankSum(classes[0], classes[1])
	t.Logf("known %v, unknown %v (medians of %d), p = %.3g", median(classes[0]), median(classes[1]), n, p)
	return p
}

func median(d []time.Duration) time.Duration {
	d = slices.Clone(d)
	slices.Sort(d)
	return d[len(d)/2].Round(time.Microsecond)
}

// rankSum is the two-sided p of the Mann-Whitney U test, by its normal approximation.
func rankSum(a, b []time.Duration) float64 {
	type sample struct {
		d     time.Duration
		first bool
	}
	var all []sample
	for _, d := range a {
		all = append(all, sample{d, true})
	}
	for _, d := range b {
		all = append(all, sample{d, false})
	}
	slices.SortFunc(all, func(x, y sample) int { return cmp.Compare(x.d, y.d) })
	sum := 0.0
	for i, s := range all {
		if s.first {
			sum += float64(i + 1)
		}
	}
	n, m := float64(len(a)), float64(len(b))
	u := sum - n*(n+1)/2
	z := (u - n*m/2) / math.Sqrt(n*m*(n+m+1)/12)
	return math.Erfc(math.Abs(z) / math.Sqrt2)
}

// The rank test itself tells a difference from none.
func TestRankSum(t *testing.T) {
	var same, later []time.Duration
	for i := range 100 {
		same = append(same, time.Duration(2*i))
		later = append(later, time.Duration(2*i+1))
	}
	if p := rankSum(same, later); p < 0.5 {
		t.Errorf("alike: p = %g", p)
	}
	for i := range later {
		later[i] += 60
	}
	if p := rankSum(same, later); p > 0.001 {
		t.Errorf("different: p = %g", p)
	}
}
