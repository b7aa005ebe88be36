package identity

import (
	"crypto/sha256"
	"encoding/hex"
	"net/mail"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/language"
)

// person is who the tester chose to be.
type person struct {
	Subject       string
	Name          string
	Email         string
	EmailVerified bool
	Locale        language.Tag
}

// The two people that are one click away.
const (
	demoName   = "Demo User"
	demoEmail  = "demo@example.com"
	adminName  = "Demo Admin"
	adminEmail = "admin@example.com"
)

const (
	maxName  = 200
	maxEmail = 254
)

var subjectPattern = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// problem is what is wrong with the form, and the key of its text; "" when nothing is.
type problem string

const (
	nameWrong    problem = "name_wrong"
	emailWrong   problem = "email_wrong"
	subjectWrong problem = "subject_wrong"
)

// subjectOf derives the provider's id of an address. It is the same after every start, so a tester who comes back
// finds their account again, and it is not the address, so nothing can come to rely on that.
func subjectOf(email string) string {
	sum := sha256.Sum256([]byte("credits sandbox identity\n" + strings.ToLower(email)))
	return hex.EncodeToString(sum[:16])
}

// newPerson checks what was typed. An empty subject follows from the address.
func newPerson(name, email, subject string, verified bool, locale language.Tag) (person, problem) {
	name, email, subject = strings.TrimSpace(name), strings.TrimSpace(email), strings.TrimSpace(subject)
	p := person{Subject: subject, Name: name, Email: email, EmailVerified: verified, Locale: locale}
	if name == "" || utf8.RuneCountInString(name) > maxName || strings.ContainsFunc(name, unicode.IsControl) {
		return p, nameWrong
	}
	if address, err := mail.ParseAddress(email); err != nil || address.Address != email || len(email) > maxEmail {
		return p, emailWrong
	}
	if subject == "" {
		p.Subject = subjectOf(email)
	} else if !subjectPattern.MatchString(subject) {
		return p, subjectWrong
	}
	return p, ""
}
