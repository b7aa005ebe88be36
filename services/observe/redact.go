package observe

import "regexp"

// secrets are the texts that no log may hold, by how they look.
var secrets = []struct {
	pattern *regexp.Regexp
	instead string
}{
	// First, because the addresses of databases hold an @ too.
	{regexp.MustCompile(`(?i)\b(postgres(?:ql)?://)[^\s"'`+"`"+`]+`), "${1}[address]"},
	{regexp.MustCompile(`(?i)\b(password|client_secret|access_token|refresh_token|id_token|code_verifier)=('[^']*'|[^\s&"'`+"`"+`]+)`), "${1}=[key]"},
	// %40 is the @ of an address in a URL, which net/http quotes in its errors.
	{regexp.MustCompile(`[\pL\pM\pN.!#$%&'*+^_{|}~\-]+(?:@|%40)[\pL\pM\pN\-]+(?:\.[\pL\pM\pN\-]+)*`), "[e-mail]"},
	{regexp.MustCompile(`\b(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9_]+`), "[key]"},
	{regexp.MustCompile(`\bwhsec_[A-Za-z0-9+/=_]+`), "[key]"},
	{regexp.MustCompile(`\brmc_[A-Za-z0-9_\-]+`), "[key]"},
	{regexp.MustCompile(`\beyJ[A-Za-z0-9_\-]+\.[A-Za-z0-9_\-]+(?:\.[A-Za-z0-9_\-]*)?`), "[token]"}, // JWT, as ID tokens are
	{regexp.MustCompile(`(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=\-]{8,}`), "${1} [key]"},
	{regexp.MustCompile(`\b(?:\d[ -]?){12,18}\d\b`), "[number]"}, // a card's
}

// Redact takes e-mail addresses, keys, tokens, database addresses and card numbers out of a text.
func Redact(text string) string {
	for _, s := range secrets {
		text = s.pattern.ReplaceAllString(text, s.instead)
	}
	return text
}
