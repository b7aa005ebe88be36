package routes

import (
	"encoding/json"
	"mime"
	"strings"
	"unicode/utf8"

	"github.com/resume-matcher/credits/services/fault"
)

// Bounds on what readObject accepts.
const (
	maxDepth  = 64
	maxValues = 100_000 // a resume has some hundred; this bounds the memory that a small body can claim
)

// readObject reads a JSON object in the one way on which all parsers agree, so that Resume Matcher cannot find in it
// what we did not: exact names, none twice in an object, valid UTF-8 without a byte order mark, declared
// as application/json.
// Numbers are json.Number.
// Errors: fault.Malformed, with what is wrong; fault.PayloadTooLarge for too many values.
func readObject(contentType string, body []byte) (map[string]any, error) {
	if !isJSON(contentType) {
		return nil, fault.Because(fault.Malformed, fault.ContentTypeNotJSON)
	}
	if !json.Valid(body) || !utf8.Valid(body) {
		return nil, fault.Because(fault.Malformed, fault.BodyUnreadable)
	}
	r := reader{body: body}
	value, err := r.value(1)
	if err != nil {
		return nil, err
	}
	object, isObject := value.(map[string]any)
	if !isObject {
		return nil, fault.Because(fault.Malformed, fault.BodyUnreadable)
	}
	return object, nil
}

// isJSON reports whether a Content-Type is application/json, in UTF-8 if it names a charset.
func isJSON(contentType string) bool {
	kind, parameters, err := mime.ParseMediaType(contentType)
	if err != nil || kind != "application/json" {
		return false
	}
	charset, named := parameters["charset"]
	return len(parameters) == 0 || len(parameters) == 1 && named && strings.EqualFold(charset, "utf-8")
}

// reader walks a body that is known to be valid JSON.
type reader struct {
	body   []byte
	at     int
	values int
}

// skip passes white space and separators. Their order was checked by json.Valid.
func (r *reader) skip() {
	for strings.IndexByte(" \t\r\n,:", r.body[r.at]) >= 0 {
		r.at++
	}
}

// value reads the value that begins at the next byte that is not a separator.
func (r *reader) value(depth int) (any, error) {
	if r.values++; r.values > maxValues {
		return nil, fault.New(fault.PayloadTooLarge, nil)
	}
	r.skip()
	switch r.body[r.at] {
	case '{', '[':
		if depth > maxDepth {
			return nil, fault.Because(fault.Malformed, fault.TooDeep)
		}
		if r.body[r.at] == '{' {
			return r.object(depth)
		}
		return r.array(depth)
	case '"':
		return r.text(), nil
	case 't', 'f', 'n':
		return r.word(), nil
	default:
		return json.Number(r.bare()), nil
	}
}

func (r *reader) object(depth int) (any, error) {
	object := map[string]any{}
	for r.at++; ; {
		r.skip()
		if r.body[r.at] == '}' {
			r.at++
			return object, nil
		}
		name := r.text()
		if _, twice := object[name]; twice {
			return nil, fault.Because(fault.Malformed, fault.FieldTwice).With("field", name)
		}
		value, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		object[name] = value
	}
}

func (r *reader) array(depth int) (any, error) {
	array := []any{}
	for r.at++; ; {
		r.skip()
		if r.body[r.at] == ']' {
			r.at++
			return array, nil
		}
		value, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		array = append(array, value)
	}
}

// text reads the string that begins here.
func (r *reader) text() string {
	start, escaped := r.at, false
	for r.at++; r.body[r.at] != '"'; r.at++ {
		if r.body[r.at] == '\\' {
			escaped = true
			r.at++
		}
	}
	r.at++
	if !escaped {
		return string(r.body[start+1 : r.at-1])
	}
	var text string
	if err := json.Unmarshal(r.body[start:r.at], &text); err != nil {
		return "" // never: the body is valid JSON
	}
	return text
}

// word reads true, false or null.
func (r *reader) word() any {
	switch r.bare() {
	case "true":
		return true
	case "false":
		return false
	default:
		return nil
	}
}

// bare reads up to the next separator.
func (r *reader) bare() string {
	start := r.at
	for r.at < len(r.body) && strings.IndexByte(" \t\r\n,:]}", r.body[r.at]) < 0 {
		r.at++
	}
	return string(r.body[start:r.at])
}
