package address_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/resume-matcher/credits/services/address"
)

func TestParseGivesTheOneSpelling(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ is, raw, want string }{
		{"as it is stored", "ada@example.com", "ada@example.com"},
		{"capitals and spaces around", " ADA@Example.COM\t", "ada@example.com"},
		{"dots and a plus sign count", "a.d.a+x@example.com", "a.d.a+x@example.com"},
		{"a capital umlaut", "\u00c4da@example.com", "\u00e4da@example.com"},
		{"a decomposed umlaut, as macOS types it", "jo\u0308rg@example.org", "j\u00f6rg@example.org"},
		{"a letter that has a composed form in lower case only", "J\u030coe@example.org", "\u01f0oe@example.org"},
		{"an umlaut domain", "carl@B\u00fccher.example", "carl@b\u00fccher.example"},
		{"the same in ASCII", "carl@xn--bcher-kva.example", "carl@b\u00fccher.example"},
		{"the same in ASCII capitals", "carl@XN--BCHER-KVA.example", "carl@b\u00fccher.example"},
		{"a decomposed umlaut domain", "carl@bu\u0308cher.example", "carl@b\u00fccher.example"},
		{"a sharp s is not a double s", "carl@stra\u00dfe.example", "carl@stra\u00dfe.example"},
		{"a dot at the end of the domain", "emil@example.org.", "emil@example.org"},
		{"a full-width letter is another one", "\uff41da@example.com", "\uff41da@example.com"},
		{"an ångström sign is its letter", "\u212bke@example.com", "\u00e5ke@example.com"},
	} {
		if got := address.Parse(c.raw); got != c.want {
			t.Errorf("%s: %+q = %+q, want %+q", c.is, c.raw, got, c.want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for is, raw := range map[string]string{
		"a Kelvin sign":                          "\u212aarla@example.org",
		"a Kelvin sign in the domain":            "karla@\u212aarla.example",
		"a capital I with a dot":                 "\u0130ngo@example.org",
		"the same, decomposed":                   "I\u0307ngo@example.org",
		"a Greek question mark":                  "a\u037eb@example.org",
		"full-width letters in the domain":       "ada@\uff45xample.com",
		"an ideographic full stop in the domain": "ada@example\u3002com",
		"a zero-width space":                     "ada\u200b@example.com",
		"a soft hyphen":                          "a\u00adda@example.com",
		"a right-to-left override":               "a\u202eda@example.com",
		"a variation selector":                   "ada\ufe0f@example.com",
		"a line break at the end":                "ada@example.com\n",
		"a line break":                           "ada\r\n@example.com",
		"a space":                                "a da@example.com",
		"a no-break space":                       "a\u00a0da@example.com",
		"broken UTF-8":                           "ada\xff@example.com",
		"a zero byte":                            "ada\x00@example.com",
		"nothing":                                "",
		"only an @":                              "@",
		"no @":                                   "ada",
		"no domain":                              "ada@",
		"a dot for a domain":                     "ada@.",
		"no local part":                          "@example.com",
		"two @":                                  "a@b@c",
		"two dots at the end":                    "ada@example.com..",
		"an empty label":                         "ada@example..com",
		"quotation marks":                        `"ada"@example.com`,
		"a comment":                              "ada(x)@example.com",
		"an address literal":                     "ada@[127.0.0.1]",
		"ASCII that decodes to ASCII":            "ada@xn--example-.com",
		"ASCII that decodes to nothing valid":    "ada@xn--99999999999.com",
		"too long":                               strings.Repeat("a", 250) + "@b.de",
		"too long with its domain in ASCII": strings.Repeat("a", 200) + "@" + strings.Repeat("\u00e4.", 10) +
			"example",
		"a label of more than 63 characters":       "ada@" + strings.Repeat("a", 64) + ".com",
		"a sign that the domain name system lacks": "ada@exa_mple.com",
	} {
		if got := address.Parse(raw); got != "" {
			t.Errorf("%s: %+q = %+q, want none", is, raw, got)
		}
	}
}

func TestASCII(t *testing.T) {
	t.Parallel()
	for email, want := range map[string]string{
		"ada@example.com":               "ada@example.com",
		"caf\u00e9@b\u00fccher.example": "caf\u00e9@xn--bcher-kva.example",
		"":                              "",
	} {
		if got := address.ASCII(email); got != want {
			t.Errorf("%q = %q, want %q", email, got, want)
		}
	}
}

func TestLooksLikeAnother(t *testing.T) {
	t.Parallel()
	for email, want := range map[string]bool{
		"boss@corp.example":                   false,
		"b\u043ess@corp.example":              true,  // Cyrillic о
		"boss@c\u043erp.example":              true,  // in the domain
		"\u0430\u0440\u0440\u04cf\u0435@x.io": true,  // аррӏе, all Cyrillic, all twins
		"\u0438\u0432\u0430\u043d@x.io":       false, // иван
		"j\u00f6rg@b\u00fccher.example":       false,
		"\uff42oss@corp.example":              true, // full-width b
		"bo\u017fs@corp.example":              true, // long s
		"\u0131ngo@corp.example":              true, // dotless i
		"\u674e\u5c0f\u9f99@x.io":             false,
		"tokyo\u6771\u4eac@x.io":              false,
		"b\u03bfss@corp.example":              true, // Greek omicron
		"max.\u0438\u0432\u0430\u043d@x.io":   false,
		"":                                    false,
	} {
		if got := address.LooksLikeAnother(email); got != want {
			t.Errorf("%+q: %v, want %v", email, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"Ada@example.com", " x@y ", "\u0130@x", "a\u200d@b", "@@", "\xff@\xfe",
		"\u212aarla@example.org", "a@xn--bcher-kva.example", "a@b.", "0@Xn--000000-00Y00XA"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		got := address.Parse(raw)
		if got == "" {
			return
		}
		if address.Parse(got) != got || address.Parse(address.ASCII(got)) != got {
			t.Errorf("%+q = %+q, which is not its own spelling", raw, got)
		}
		if !utf8.ValidString(got) || strings.ContainsAny(got, " \x00\r\n\t") || strings.Count(got, "@") != 1 {
			t.Errorf("%+q = %+q", raw, got)
		}
		before, after := 0, 0
		for _, r := range strings.TrimSpace(raw) {
			if r > unicodeASCII {
				before++
			}
		}
		for _, r := range got {
			if r > unicodeASCII {
				after++
			}
		}
		if before > 0 && after == 0 {
			t.Errorf("%+q became ASCII: %+q", raw, got)
		}
	})
}

const unicodeASCII = 127
