// Package address knows e-mail addresses: the one spelling in which each is stored and compared, the form for machines,
// and which ones a reader could mistake for another. Every address that comes in from outside passes Parse.
package address

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"
)

// maxBytes is how long an address may be, also with its domain in ASCII.
// Source: RFC 5321, 4.5.3.1.3 (a path of 256 octets, two of which are brackets).
const maxBytes = 254

// specials are the ASCII characters that a local part holds in quotation marks alone. No provider hands out such
// addresses, and in a mail's header they mean something else.
const specials = `"(),:;<>[\]`

// Parse returns an address in the one spelling that is stored and compared, or "" for what cannot be an address.
//
// Spellings of one mailbox become one: the case of letters, composed and decomposed umlauts, a domain in Unicode or in
// ASCII (IDNA), a dot at its end. Other mailboxes stay other ones: dots and plus signs in front of the @ count, and so
// do letters that only look alike. Letters that become ASCII when they are lower-cased or normalised, such as the Kelvin
// sign, are refused, and so is whatever does not show.
//
// Idempotent: the address it returns is its own spelling.
func Parse(raw string) string {
	text := strings.Trim(raw, " \t")
	if len(text) > 2*maxBytes || !utf8.ValidString(text) || strings.ContainsFunc(text, refused) {
		return ""
	}
	// Composed before lower-casing, for İ has no lower case of its own, and after it, for ǰ has no upper case.
	text = norm.NFC.String(text)
	if strings.ContainsFunc(text, refused) {
		return ""
	}
	local, domain, found := strings.Cut(norm.NFC.String(strings.Map(unicode.ToLower, text)), "@")
	if !found || local == "" || strings.ContainsAny(local, specials) {
		return ""
	}
	ascii, unicode, ok := domains(domain)
	if !ok || len(local)+1+max(len(ascii), len(unicode)) > maxBytes {
		return ""
	}
	return local + "@" + unicode
}

// domains returns both forms of a domain. Nothing is mapped: what IDNA would not register as it stands is no domain.
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

// refused reports whether a rune makes an address unfit: it does not show, or it turns into ASCII, so that an address
// with it would become another one.
func refused(r rune) bool {
	if r <= unicode.MaxASCII {
		return r <= ' ' || r == 0x7f
	}
	composed, _ := utf8.DecodeRuneInString(norm.NFC.String(string(r)))
	return unicode.ToLower(r) <= unicode.MaxASCII || composed <= unicode.MaxASCII || Invisible(r)
}

// Invisible reports whether a rune would let two different texts look the same by not showing at all.
func Invisible(r rune) bool {
	return unicode.IsControl(r) || unicode.IsSpace(r) || !unicode.IsGraphic(r) ||
		unicode.In(r, unicode.Cf, unicode.Z, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point)
}

// Spelled returns an address in ASCII alone, for a reader who must tell which letters it has: b\u043ess@xn--crp-mlc.example.
// No mail is sent to it. The address must be as Parse returns it.
func Spelled(email string) string {
	return strings.Trim(strconv.QuoteToASCII(ASCII(email)), `"`)
}

// ASCII returns an address with its domain in ASCII, as programs beyond ours read it: café@bücher.example becomes
// café@xn--bcher-kva.example. The address must be as Parse returns it.
func ASCII(email string) string {
	local, domain, found := strings.Cut(email, "@")
	ascii, err := idna.Registration.ToASCII(domain)
	if !found || err != nil {
		return email
	}
	return local + "@" + ascii
}
