package handlers

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"unicode/utf8"

	"github.com/resume-matcher/credits/services/fault"
)

// fewNames is up to how many names of an object are compared one by one.
const fewNames = 8

// level is an object or list that encloses the scanner's position.
type level struct {
	object bool
	named  bool // a name has been read: the next string is a value
	names  []string
	many   map[string]bool // the same names, beyond fewNames
}

// scanObject returns the field names of a valid JSON object.
// Errors: fault.Malformed when an object in it names a field twice or is nested too deeply; fault.Invalid for a field
// with a NUL character.
func scanObject(body []byte) ([]string, error) {
	levels := make([]level, 0, 4)
	var top []string
	for i := 0; i < len(body); i++ {
		switch body[i] {
		case '{', '[':
			if len(levels) == maxJSONDepth {
				return nil, fault.Because(fault.Malformed, fault.TooDeep)
			}
			levels = append(levels, level{object: body[i] == '{'})
		case '}', ']':
			if len(levels) == 1 {
				top = levels[0].names
			}
			levels = levels[:len(levels)-1]
		case ',':
			levels[len(levels)-1].named = false
		case '"':
			end, nul := endOfString(body, i)
			here := &levels[len(levels)-1]
			if here.object && !here.named {
				if nul || !here.add(body[i:end+1]) {
					return nil, named(fault.Malformed, fault.FieldTwice, string(body[i+1:end]))
				}
				here.named = true
			} else if nul {
				return nil, unstorable(levels[0].names)
			}
			i = end
		}
	}
	return top, nil
}

// unreadable returns the refusal of a body that is not one JSON object in UTF-8, and says where it ceases to be one.
func unreadable(body []byte) *fault.Error {
	var syntax *json.SyntaxError
	at := len(body) - len(bytes.TrimLeft(body, " \t\r\n"))
	if bytes.HasPrefix(body[at:], []byte("{")) {
		if errors.As(json.Unmarshal(body, new(json.RawMessage)), &syntax) {
			at = max(int(syntax.Offset)-1, 0)
		}
		for i := 0; i < at || syntax == nil && i < len(body); {
			r, size := utf8.DecodeRune(body[i:])
			if r == utf8.RuneError && size == 1 {
				at = i
				break
			}
			i += size
		}
	}
	before := body[:min(at, len(body))]
	line := bytes.Count(before, []byte("\n")) + 1
	column := utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:]) + 1
	return fault.Because(fault.Malformed, fault.BodyUnreadable).With("line", line).With("column", column)
}

// unstorable reports a NUL in the most recent field.
func unstorable(names []string) error {
	if len(names) == 0 {
		return fault.Because(fault.Malformed, fault.BodyUnreadable)
	}
	return fault.Field(names[len(names)-1], fault.ValueUnfit).With("expected", "text without NUL")
}

// endOfString finds the closing quote of the string that starts at i, and whether it contains a NUL.
func endOfString(body []byte, i int) (end int, nul bool) {
	for i++; body[i] != '"'; i++ {
		if body[i] == '\\' {
			i++
			nul = nul || bytes.HasPrefix(body[i:], []byte("u0000"))
		}
	}
	return i, nul
}

// add records a quoted name and reports whether it is new.
func (l *level) add(quoted []byte) bool {
	name := string(quoted[1 : len(quoted)-1])
	if bytes.IndexByte(quoted, '\\') >= 0 && json.Unmarshal(quoted, &name) != nil {
		return false
	}
	if len(l.names) < fewNames {
		if slices.Contains(l.names, name) {
			return false
		}
		l.names = append(l.names, name)
		return true
	}
	if l.many == nil {
		l.many = make(map[string]bool, 2*fewNames)
		for _, earlier := range l.names {
			l.many[earlier] = true
		}
	}
	if l.many[name] {
		return false
	}
	l.many[name] = true
	l.names = append(l.names, name)
	return true
}
