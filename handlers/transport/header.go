package transport

import (
	"bytes"
	"strings"
)

// WellFormed reports whether a request can be read in only one way: HTTP/1.0 or 1.1, each header line ending in CRLF
// and starting with a name directly before its colon. A proxy may read folded lines, names with spaces and bare LF
// differently, which allows request smuggling.
// Source: https://www.rfc-editor.org/rfc/rfc9112#section-5
func WellFormed(protocol, header []byte) bool {
	if !bytes.Equal(protocol, []byte("HTTP/1.1")) && !bytes.Equal(protocol, []byte("HTTP/1.0")) {
		return false
	}
	for len(header) > 0 {
		line, rest, ended := bytes.Cut(header, []byte("\n"))
		if !ended || !bytes.HasSuffix(line, []byte("\r")) {
			return false
		}
		if line = line[:len(line)-1]; len(line) == 0 {
			return len(rest) == 0
		}
		name, _, found := bytes.Cut(line, []byte(":"))
		if !found || !token(name) {
			return false
		}
		header = rest
	}
	return true
}

// token reports whether a header name is valid.
// Source: https://www.rfc-editor.org/rfc/rfc9110#section-5.6.2
func token(name []byte) bool {
	for _, b := range name {
		if b <= ' ' || b >= 0x7f || strings.IndexByte(`"(),/:;<=>?@[\]{}`, b) >= 0 {
			return false
		}
	}
	return len(name) > 0
}
