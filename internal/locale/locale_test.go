package locale_test

import (
	"slices"
	"testing"
	"time"

	"golang.org/x/text/feature/plural"
	"golang.org/x/text/language"

	"latchkey/internal/locale"
)

// Every language has every message, with the placeholders of English and every plural form that its
// numbers take.
func TestNoMessageIsMissing(t *testing.T) {
	english := locale.Messages(t, "en")
	for _, l := range locale.Languages() {
		messages := locale.Messages(t, l.Tag)
		for key, want := range english {
			got, ok := messages[key]
			switch {
			case !ok:
				t.Errorf("%s: %s is missing", l.Tag, key)
			case !locale.SameShape(got, want):
				t.Errorf("%s: %s has other placeholders than English, or forms where English has none", l.Tag, key)
			}
			if forms := locale.Forms(got); forms != nil {
				for _, form := range wantedForms(l.Tag) {
					if !slices.Contains(forms, form) {
						t.Errorf("%s: %s has no form %q", l.Tag, key, form)
					}
				}
			}
		}
		for key := range messages {
			if _, ok := english[key]; !ok {
				t.Errorf("%s: %s is in no other language", l.Tag, key)
			}
		}
	}
}

// wantedForms are those that whole numbers take in a language.
func wantedForms(tag string) (forms []string) {
	names := map[plural.Form]string{
		plural.Zero: "zero", plural.One: "one", plural.Two: "two", plural.Few: "few", plural.Many: "many", plural.Other: "other",
	}
	for n := range 1000 {
		form := names[plural.Cardinal.MatchPlural(language.MustParse(tag), n, 0, 0, 0, 0)]
		if !slices.Contains(forms, form) {
			forms = append(forms, form)
		}
	}
	return forms
}

func TestChoose(t *testing.T) {
	for _, tt := range []struct{ set, header, want string }{
		{"", "", "en"},
		{"de", "fr", "de"},
		{"xx", "fr-CA, en;q=0.5", "fr"},
		{"", "de-AT,de;q=0.9,en;q=0.8", "de"},
		{"", "pt-BR", "pt"},
		{"", "zh-TW", "zh"},
		{"", "nl, ja;q=0.5", "ja"},
		{"", "sw", "en"},
		{"", ";;;q=x", "en"},
		{"", string(make([]byte, 4096)), "en"},
	} {
		if got := locale.Choose(tt.set, tt.header); got != tt.want {
			t.Errorf("set %q, Accept-Language %.40q: got %s, want %s", tt.set, tt.header, got, tt.want)
		}
	}
}

func TestFirst(t *testing.T) {
	for list, want := range map[string]string{
		"":                           "",
		"de":                         "de",
		"fr-CA fr en":                "fr",
		"nl sw pt-BR de":             "pt",
		"zh-Hant-TW en":              "zh",
		"DE":                         "de",
		"nl":                         "",
		"und und-DE *":               "", // nobody's language
		"; fr,de x-private ../en ja": "ja",
		"  en  de ":                  "en",
		string(make([]byte, 4096)):   "",
	} {
		if got := locale.First(list); got != want {
			t.Errorf("%.40q: got %q, want %q", list, got, want)
		}
	}
}

func TestTimes(t *testing.T) {
	at := time.Date(2026, 11, 25, 9, 5, 0, 0, time.FixedZone("", 3600))
	for tag, want := range map[string]struct{ full, ago string }{
		"en": {"25 November 2026, 08:05 UTC", "2 hours ago"},
		"de": {"25. November 2026, 08:05 UTC", "vor 2 Stunden"},
		"ar": {"25 نوفمبر 2026، 08:05 UTC", "قبل 2 ساعة"},
		"ja": {"2026年11月25日 08:05 UTC", "2 時間前"},
	} {
		p := locale.For(tag)
		full, err := p.Time(at)
		if err != nil || full != want.full {
			t.Errorf("%s: got %q, %v, want %q", tag, full, err, want.full)
		}
		ago, err := p.Ago(at, at.Add(170*time.Minute))
		if err != nil || ago != want.ago {
			t.Errorf("%s: got %q, %v, want %q", tag, ago, err, want.ago)
		}
	}
	p := locale.For("en")
	for passed, want := range map[time.Duration]string{
		-time.Hour: "just now", 59 * time.Second: "just now", time.Minute: "1 minute ago", 59 * time.Minute: "59 minutes ago",
		time.Hour: "1 hour ago", 49 * time.Hour: "2 days ago",
	} {
		if got, err := p.Ago(at, at.Add(passed)); got != want || err != nil {
			t.Errorf("%v: got %q, %v, want %q", passed, got, err, want)
		}
	}
	if got, err := p.Time(time.Time{}); got != "" || err != nil {
		t.Errorf("no time: got %q, %v", got, err)
	}
}

// A client's own words stand in for a message, and for no other.
func TestWith(t *testing.T) {
	p := locale.For("en").With(map[string]string{"account.end_this": "Stop %s"})
	if got, err := p.Text("account.end_this", "it"); got != "Stop it" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	if got, err := p.Text("sign_in.title"); got != "Sign in" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	if !p.Owns("account.end_this") || p.Owns("sign_in.title") {
		t.Error("Owns does not tell a client's own words from the others")
	}
	if got, err := p.Text("no.such.message"); err == nil {
		t.Errorf("an unknown message is %q", got)
	}
}
