package logging

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// secrets are patterns of what no log may show. A pattern is searched only in texts with one of its lower-case marks:
// most texts have none, and a search costs more than writing the line.
var secrets = []struct {
	marks   []string
	pattern *regexp.Regexp
	instead string
}{
	// First, because the addresses of databases hold an @ too.
	{[]string{"postgres"}, regexp.MustCompile("(?i)\\b(postgres(?:ql)?://)[^\\s\"'`]+"), "${1}[address]"},
	{
		[]string{"password=", "secret=", "token=", "verifier="},
		regexp.MustCompile("(?i)(password|secret|token|verifier)=('[^']*'|[^\\s&\"'`]+)"), "${1}=[key]",
	},
	// %40 is the @ of an address in a URL, which net/http quotes in its errors.
	{
		[]string{"@", "%40"},
		regexp.MustCompile(`[\pL\pM\pN.!#$%&'*+^_{|}~\-]+(?:@|%40)[\pL\pM\pN\-]+(?:\.[\pL\pM\pN\-]+)*`), "[e-mail]",
	},
	{[]string{"k_live_", "k_test_"}, regexp.MustCompile(`\b(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9_]+`), "[key]"},
	{[]string{"whsec_"}, regexp.MustCompile(`\bwhsec_[A-Za-z0-9+/=_]+`), "[key]"},
	{[]string{"rmc_"}, regexp.MustCompile(`\brmc_[A-Za-z0-9_\-]+`), "[key]"},
	{[]string{"bearer"}, regexp.MustCompile(`(?i)\bbearer\s+[A-Za-z0-9._~+/=\-]+`), "Bearer [key]"},
	// as ID tokens are
	{[]string{"eyj"}, regexp.MustCompile(`\beyJ[A-Za-z0-9_\-]+\.[A-Za-z0-9_\-]+(?:\.[A-Za-z0-9_\-]*)?`), "[token]"},
}

// card is a number with the length of a card number.
var card = regexp.MustCompile(`\b(?:\d[ -]?){12,18}\d\b`)

const (
	longest = 16 << 10 // bytes of a text that are logged
	margin  = 512      // bytes that no secret is longer than, so that none is cut in two and not recognised
)

// Redact removes e-mail addresses, keys, tokens, database addresses and card numbers from a text, and truncates it.
func Redact(text string) string {
	all := len(text)
	if all > longest+margin {
		text = strings.ToValidUTF8(text[:longest+margin], "")
	}
	lower := strings.ToLower(text)
	for _, s := range secrets {
		if slices.ContainsFunc(s.marks, func(mark string) bool { return strings.Contains(lower, mark) }) {
			text = s.pattern.ReplaceAllString(text, s.instead)
		}
	}
	if digits(text) >= 13 {
		text = card.ReplaceAllString(text, "[number]")
	}
	if all > longest+margin {
		text = strings.ToValidUTF8(text[:max(0, len(text)-margin)], "") + fmt.Sprintf("… (%d bytes)", all)
	}
	return text
}

func digits(text string) int {
	n := 0
	for i := range len(text) {
		if '0' <= text[i] && text[i] <= '9' {
			n++
		}
	}
	return n
}
