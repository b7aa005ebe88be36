// Package address normalises e-mail addresses to the spelling that is stored and compared, and recognises addresses
// that a reader could mistake for others. Every address from outside passes Parse.
package address

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"
)

// maxBytes is the maximum length of an address, in both forms of its domain.
// Source: RFC 5321, 4.5.3.1.3 (a path of 256 octets, two of which are brackets).
const maxBytes = 254

// specials are the ASCII characters that a local part may contain only in quotes. No provider issues such addresses,
// and in mail headers they have a meaning of their own.
const specials = `"(),:;<>[\]`

// Parse returns an address in the spelling that is stored and compared, or "" if it is invalid.
//
// It unifies the spellings of one mailbox: letter case, composed and decomposed umlauts, a domain in Unicode or ASCII
// (IDNA), a trailing dot. It keeps different mailboxes apart: dots and plus signs before the @ count, and so do letters
// that only look alike. It rejects invisible characters, and letters that turn into ASCII when lower-cased or
// normalised, such as the Kelvin sign.
//
// Idempotent.
func Parse(raw string) string {
	text := strings.Trim(raw, " \t")
	if len(text) > 2*maxBytes || !utf8.ValidString(text) || strings.ContainsFunc(text, refused) {
		return ""
	}
	if strings.ContainsFunc(norm.NFC.String(text), refused) {
		return ""
	}
	local, domain, found := strings.Cut(fold(text), "@")
	if !found || local == "" || strings.ContainsAny(local, specials) {
		return ""
	}
	ascii, domain, ok := domains(domain)
	if !ok || len(local)+1+max(len(ascii), len(domain)) > maxBytes ||
		fold(domain) != domain || strings.ContainsFunc(domain, refused) { // its ASCII may stand for letters that we change
		return ""
	}
	return local + "@" + domain
}

// fold unifies letter case and composition. It composes before lower-casing, since İ has no lower case of its own, and
// after it, since ǰ has no upper case.
func fold(text string) string {
	return norm.NFC.String(strings.Map(unicode.ToLower, norm.NFC.String(text)))
}

// domains returns both forms of a domain. It maps nothing: a domain that IDNA would not register as written is invalid.
// Source: RFC 5891, 4 (registration).
func domains(domain string) (ascii, unicode string, ok bool) {
	domain = strings.TrimSuffix(domain, ".")
	ascii, err := idna.Registration.ToASCII(domain)
	if err != nil || strings.HasSuffix(domain, ".") {
		return "", "", false
	}
	unicode, err = idna.Registration.ToUnicode(ascii)
	if err != nil {
		return "", "", false
	}
	again, err := idna.Registration.ToASCII(unicode)
	return ascii, unicode, err == nil && again == ascii
}

// refused reports whether a rune makes an address invalid: it is invisible, or it turns into ASCII, which would make
// another address of it.
func refused(r rune) bool {
	if r <= unicode.MaxASCII {
		return r <= ' ' || r == 0x7f
	}
	composed, _ := utf8.DecodeRuneInString(norm.NFC.String(string(r)))
	return unicode.ToLower(r) <= unicode.MaxASCII || composed <= unicode.MaxASCII || Invisible(r)
}

// Invisible reports whether a rune has no visible form, so that two different texts could look the same.
func Invisible(r rune) bool {
	return unicode.IsControl(r) || unicode.IsSpace(r) || !unicode.IsGraphic(r) ||
		unicode.In(r, unicode.Cf, unicode.Z, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point)
}

// Spelled returns an address with escapes for all letters beyond ASCII, so that a reader sees which letters it has:
// b\u043ess@xn--crp-mlc.example. It is for display only. The address must come from Parse.
func Spelled(email string) string {
	return strings.Trim(strconv.QuoteToASCII(ASCII(email)), `"`)
}

// ASCII returns an address with its domain in ASCII, for other programs: café@bücher.example becomes
// café@xn--bcher-kva.example. The address must come from Parse.
func ASCII(email string) string {
	local, domain, found := strings.Cut(email, "@")
	ascii, err := idna.Registration.ToASCII(domain)
	if !found || err != nil {
		return email
	}
	return local + "@" + ascii
}
