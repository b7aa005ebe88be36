package routes

import (
	"encoding/hex"
	"strings"

	"github.com/resume-matcher/credits/services/fault"
)

// Bounds on a request target, in bytes.
const (
	maxPath  = 2048
	maxQuery = 12 << 10 // a form may send 10,000 characters
)

// Path is the path of a request in its only accepted spelling: decoded, absolute, without empty or dot segments, and
// made of characters that stand for themselves in a URL. Servers that decode or normalise it read the same path, so it
// is what is matched and what is forwarded: set both URL.Path and URL.RawPath to it.
type Path string

// InAPI reports whether the path belongs to Resume Matcher's backend.
func (p Path) InAPI() bool { return p == "/api" || strings.HasPrefix(string(p), "/api/") }

// Canonical returns the path and the query of a request target. The path is decoded once; the query stays as it came.
// Errors: fault.Malformed for a target with another meaning to other servers: an encoded slash, an empty or dot
// segment, a character outside pathByte, another form than a path. fault.NotFound for spellings of /api that Resume
// Matcher tolerates: another case, a trailing slash.
func Canonical(target string) (Path, string, error) {
	raw, query, _ := strings.Cut(target, "?")
	path, ok := decode(raw)
	if !ok || !acceptableQuery(query) || len(raw) > maxPath || !strings.HasPrefix(path, "/") {
		return "", "", fault.New(fault.Malformed, nil)
	}
	for segment := range strings.SplitSeq(strings.TrimSuffix(path[1:], "/"), "/") {
		if segment == "." || segment == ".." || segment == "" && path != "/" {
			return "", "", fault.New(fault.Malformed, nil)
		}
	}
	first, _, _ := strings.Cut(path[1:], "/")
	if strings.EqualFold(first, "api") && (first != "api" || strings.HasSuffix(path, "/")) {
		return "", "", fault.New(fault.NotFound, nil)
	}
	return Path(path), query, nil
}

// decode replaces each %xx by its byte, once, and reports whether every byte of the result is a pathByte.
func decode(raw string) (string, bool) {
	decoded := make([]byte, 0, len(raw))
	var pair [1]byte
	for i := 0; i < len(raw); i++ {
		b := raw[i]
		if b == '%' {
			if len(raw) < i+3 {
				return "", false
			}
			if _, err := hex.Decode(pair[:], []byte(raw[i+1:i+3])); err != nil || pair[0] == '/' {
				return "", false
			}
			b = pair[0]
			i += 2
		}
		if !pathByte(b) {
			return "", false
		}
		decoded = append(decoded, b)
	}
	return string(decoded), true
}

// pathByte reports whether a byte may stand in a path without being encoded and separates nothing but segments
// (RFC 3986, 3.3, without the semicolon). Next.js names files of routes with square brackets.
func pathByte(b byte) bool { return idByte(b) || strings.IndexByte("/.~!$&'()*+,=:@[]", b) >= 0 }

// idByte reports whether a byte may stand in an id: letters, digits, hyphens and underscores.
func idByte(b byte) bool {
	return 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || '0' <= b && b <= '9' || b == '-' || b == '_'
}

// acceptableQuery reports whether a query is short and made of visible ASCII characters, and not cut by a fragment.
func acceptableQuery(query string) bool {
	return len(query) <= maxQuery && !strings.ContainsFunc(query, func(r rune) bool {
		return r <= ' ' || r > '~' || r == '#'
	})
}
