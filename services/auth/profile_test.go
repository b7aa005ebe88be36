package auth

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestNormaliseEmail(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"ada@example.com":                  "ada@example.com",
		" ADA@Example.COM\t":               "ada@example.com",
		"a.d.a+x@example.com":              "a.d.a+x@example.com",
		"\u00c4da@example.com":             "\u00e4da@example.com", // Ä
		"\uff41da@example.com":             "\uff41da@example.com", // fullwidth a: another address
		"\u212aarl@example.com":            "",                     // Kelvin sign
		"\u0130da@example.com":             "",                     // capital I with dot
		"ada\u200b@example.com":            "",
		"ada@example.com\n":                "",
		"a da@example.com":                 "",
		"ada\xff@example.com":              "",
		"":                                 "",
		"@":                                "",
		"ada":                              "",
		"ada@":                             "",
		"@example.com":                     "",
		"a@b@c":                            "",
		strings.Repeat("a", 250) + "@b.de": "",
	} {
		if got := normaliseEmail(raw); got != want {
			t.Errorf("%+q = %+q, want %+q", raw, got, want)
		}
	}
}

func TestCleanName(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		" Ada Lovelace ":         "Ada Lovelace",
		"Ada\r\nLog: line\x00":   "AdaLog: line",
		"Ada\u202eecalevoL":      "AdaecalevoL",
		"A\xffda":                "Ada",
		"李 小龙":                   "李 小龙",
		strings.Repeat("ä", 300): strings.Repeat("ä", 200),
		"":                       "",
	} {
		if got := cleanName(raw); got != want {
			t.Errorf("%+q = %+q, want %+q", raw, got, want)
		}
	}
}

func FuzzNormaliseEmail(f *testing.F) {
	for _, seed := range []string{"Ada@example.com", " x@y ", "\u0130@x", "a\u200d@b", "@@", "\xff@\xfe"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		got := normaliseEmail(raw)
		if got == "" {
			return
		}
		if normaliseEmail(got) != got || !utf8.ValidString(got) || strings.ContainsAny(got, " \x00\r\n\t") || strings.Count(got, "@") != 1 {
			t.Errorf("%+q = %+q", raw, got)
		}
		for _, r := range raw {
			if r > 127 && strings.ToLower(string(r)) == "k" {
				t.Errorf("%+q became ASCII: %+q", raw, got)
			}
		}
	})
}
