package auth

import (
	"cmp"
	"maps"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/resume-matcher/credits/services/address"
)

const (
	maxNameRunes    = 200
	maxSubjectBytes = 255
)

// profile is what a provider says about who signed in.
type profile struct {
	Subject       string
	Email         string
	EmailVerified bool
	Name          string
	Present       bool // the provider has just made sure that the person is there
}

// profileOf reads what an ID token says and, where it is silent or older, the unsigned userinfo. The subject is the signed
// one, and "verified" in one counts for the other's address only when it is the same.
func profileOf(subject string, signed, info map[string]any) profile {
	claims := maps.Clone(signed)
	maps.Copy(claims, info)
	text := func(from map[string]any, name string) string {
		said, _ := from[name].(string)
		return said
	}
	p := profile{Subject: subject, Email: text(claims, "email")}
	p.Name = cmp.Or(text(claims, "name"), text(claims, "nickname"), text(claims, "preferred_username"))
	sameAddress := text(signed, "email") == "" || text(signed, "email") == p.Email
	p.EmailVerified = sameAddress && saysTrue(claims["email_verified"])
	return p
}

// saysTrue understands the providers that write their booleans as text.
func saysTrue(claim any) bool {
	return claim == true || claim == "true"
}

// clean brings a profile into the form that is stored. It reports false when the subject cannot be one.
func (p profile) clean() (profile, bool) {
	p.Email = address.Parse(p.Email)
	p.EmailVerified = p.EmailVerified && p.Email != ""
	p.Name = cleanName(p.Name)
	good := p.Subject != "" && len(p.Subject) <= maxSubjectBytes && utf8.ValidString(p.Subject) &&
		!strings.ContainsFunc(p.Subject, unicode.IsControl)
	return p, good
}

// cleanName removes what could break a line or turn its direction, and cuts at 200 characters.
func cleanName(raw string) string {
	name := strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == utf8.RuneError {
			return -1
		}
		return r
	}, raw)
	runes := []rune(strings.TrimSpace(name))
	if len(runes) > maxNameRunes {
		runes = runes[:maxNameRunes]
	}
	return strings.TrimSpace(string(runes))
}
