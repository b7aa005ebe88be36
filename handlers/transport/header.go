package transport

import "bytes"

// WellFormed reports whether a request can be read in one way only: HTTP/1.0 or 1.1, each line of the header block
// ending in CRLF and beginning with a name directly before its colon. What others forgive (lines that continue the one
// before, names with spaces, bare LF) is what a proxy in front of us may read differently, and that is how one request
// hides in another.
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

// token reports whether a field's name is one.
// Source: https://www.rfc-editor.org/rfc/rfc9110#section-5.6.2
func token(name []byte) bool {
	for _, b := range name {
		if b <= ' ' || b >= 0x7f || bytes.IndexByte([]byte(`"(),/:;<=>?@[\]{}`), b) >= 0 {
			return false
		}
	}
	return len(name) > 0
}
