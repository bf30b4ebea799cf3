package mail

// Every mail with made-up contents: what `latchkey theme preview` shows, and what a start renders so that
// a client's texts are found wanting then and not by the outbox.

import (
	"time"

	"latchkey/internal/brand"
	"latchkey/internal/locale"
)

// Sample is a mail in one of its states.
type Sample struct {
	Title string // for whoever looks at it, in English: the mail's name and state
	Kind  Kind
	Data  Data
}

// DataFor is the part of Data that a client's look decides, in a language.
func DataFor(look brand.Brand, language string) Data {
	d := Data{
		Platform: look.Name, LogoURL: look.LogoURL, Language: language, Support: look.Support.Shown(),
		Texts: look.Texts[locale.For(language).Tag],
	}
	if !look.Colour.IsZero() {
		d.Accent, d.OnAccent = look.Colour.String(), look.Colour.On().String()
	}
	return d
}

// Samples returns every mail in every state, in the look that DataFor gives.
func Samples(base Data) []Sample {
	base.To = "ada@example.com"
	if base.From == "" {
		base.From = "no-reply@example.com"
	}
	base.At = time.Date(2026, 11, 25, 9, 30, 0, 0, time.UTC)
	base.Browser, base.OS, base.Addr = "Firefox 145", "Linux", "203.0.113.7"
	sample := func(title string, kind Kind, change func(*Data)) Sample {
		d := base
		if change != nil {
			change(&d)
		}
		return Sample{title, kind, d}
	}
	leads := func(link string) func(*Data) { return func(d *Data) { d.Link = link } }
	const code = "?verificationCode=x8Jq0mB5nS3vQ2kT7yR1wE6uL9pA4cD0fG8hZ5jN3mX&email=ada%40example.com"
	asked := func(path string) func(*Data) {
		return func(d *Data) {
			d.Link, d.Hosted, d.ExpiresAt = "https://app.example.com"+path+code, "https://id.example.com"+path+code, d.At.Add(time.Hour)
		}
	}
	undo := leads("https://app.example.com/end-session?token=x8Jq0mB5nS3vQ2kT7yR1wE6uL9pA4cD0fG8hZ5jN3mX")
	moved := func(to string) func(*Data) {
		return func(d *Data) {
			undo(d)
			d.Browser, d.OS, d.Addr = "", "", "" // an operator did it
			d.To, d.NewEmail = to, "countess@example.com"
		}
	}
	return []Sample{
		sample("confirm the address", Verify, asked("/verify-email-success")),
		sample("reset the password", Reset, asked("/reset-password")),
		sample("already registered", AlreadyRegistered, leads("https://app.example.com")),
		sample("password changed", PasswordChanged, undo),
		sample("address changed, to the old one", EmailChanged, moved("ada@example.com")),
		sample("address changed, to the new one", EmailChanged, moved("countess@example.com")),
		sample("new device", NewDevice, undo),
		sample("session ended by reuse", SessionEndedReuse, undo),
		sample("test", Test, nil),
	}
}
