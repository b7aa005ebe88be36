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

// person is the user that the tester chose.
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

// problem is an invalid field of the form and the key of its text; "" for none.
type problem string

const (
	nameWrong    problem = "name_wrong"
	emailWrong   problem = "email_wrong"
	subjectWrong problem = "subject_wrong"
)

// subjectOf derives the provider's subject from an address. It is the same after every start, so that a tester finds
// their account again, and differs from the address, so that nothing comes to rely on equality.
func subjectOf(email string) string {
	sum := sha256.Sum256([]byte("credits sandbox identity\n" + strings.ToLower(email)))
	return hex.EncodeToString(sum[:16])
}

// newPerson validates the form. An empty subject follows from the address.
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
