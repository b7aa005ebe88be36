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

// profile is a provider's description of the person who signed in.
type profile struct {
	Subject         string
	Email           string
	EmailVerified   bool
	Name            string
	Reauthenticated bool // the provider has just authenticated the person anew
}

// profileOf reads a profile from the claims of the ID token and from userinfo, which replaces them. The subject is the
// token's. email_verified counts only if both name the same address.
func profileOf(subject string, signed, info map[string]any) profile {
	claims := maps.Clone(signed)
	maps.Copy(claims, info)
	text := func(from map[string]any, name string) string {
		value, _ := from[name].(string)
		return value
	}
	p := profile{Subject: subject, Email: text(claims, "email")}
	p.Name = cmp.Or(text(claims, "name"), text(claims, "nickname"), text(claims, "preferred_username"))
	sameAddress := text(signed, "email") == "" || text(signed, "email") == p.Email
	p.EmailVerified = sameAddress && isTrue(claims["email_verified"])
	return p
}

// isTrue accepts the text "true" as well, which some providers send.
func isTrue(claim any) bool {
	return claim == true || claim == "true"
}

// clean normalizes a profile for storage. It reports false for an invalid subject.
func (p profile) clean() (profile, bool) {
	p.Email = address.Parse(p.Email)
	p.EmailVerified = p.EmailVerified && p.Email != ""
	p.Name = cleanName(p.Name)
	valid := p.Subject != "" && len(p.Subject) <= maxSubjectBytes && utf8.ValidString(p.Subject) &&
		!strings.ContainsFunc(p.Subject, unicode.IsControl)
	return p, valid
}

// cleanName removes control characters and marks of writing direction, and cuts at 200 characters.
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
