package auth

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/markbates/goth"

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
}

// profileOf reads goth's user. The subject is the signed one. goth lays the unsigned userinfo over the ID token, so
// "verified" in one counts for the other's address only when it is the same.
func profileOf(token *oidc.IDToken, user goth.User) profile {
	p := profile{Subject: token.Subject, Name: user.Name, Email: user.Email}
	if p.Name == "" {
		p.Name = user.NickName
	}
	var signed struct {
		Email string `json:"email"`
	}
	sameAddress := token.Claims(&signed) == nil && (signed.Email == "" || signed.Email == user.Email)
	p.EmailVerified = sameAddress && saysTrue(user.RawData["email_verified"])
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
