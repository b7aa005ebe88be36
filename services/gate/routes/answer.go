package routes

import (
	"encoding/json"
	"slices"
	"strings"
)

// check is one line of a rule's good answer. It holds if the test holds for at least one of the fields.
type check struct {
	Fields   []string `yaml:"fields"`
	Present  bool     `yaml:"present"`   // there, and not null
	NotEmpty bool     `yaml:"not_empty"` // some text in the value has a visible character
	Equals   *string  `yaml:"equals"`    // a text, number or boolean that is written like this
	MoreThan *float64 `yaml:"more_than"` // a larger number
}

// Good reports whether the answer to a charged request is worth its credits: 2xx, and every line of the rule's good
// answer holds.
// Errors: fault.Malformed and fault.PayloadTooLarge for a 2xx answer that cannot be read as strictly as a request. Do
// not pass it on: a browser could find the result in it, unpaid.
func (r *Rule) Good(status int, contentType string, body []byte) (bool, error) {
	if status/100 != 2 {
		return false, nil
	}
	object, err := readObject(contentType, body)
	if err != nil {
		return false, err
	}
	for i := range r.terms.Good {
		if !r.terms.Good[i].holds(object) {
			return false, nil
		}
	}
	return len(r.terms.Good) > 0, nil
}

func (c *check) holds(object map[string]any) bool {
	return slices.ContainsFunc(c.Fields, func(field string) bool { return reach(object, field, c.test) })
}

func (c *check) test(value any) bool {
	switch {
	case c.Equals != nil:
		written, isScalar := scalar(value)
		return isScalar && written == *c.Equals
	case c.MoreThan != nil:
		number, isNumber := value.(json.Number)
		if !isNumber {
			return false
		}
		size, err := number.Float64()
		return err == nil && size > *c.MoreThan
	case c.NotEmpty:
		return hasText(value)
	default:
		return value != nil
	}
}

// scalar returns how a text, number or boolean is written.
func scalar(value any) (string, bool) {
	switch value := value.(type) {
	case string:
		return value, true
	case json.Number:
		return value.String(), true
	case bool:
		if value {
			return "true", true
		}
		return "false", true
	default:
		return "", false
	}
}

// hasText reports whether some text in the value has a visible character. [""], [[]] and {"tips": []} have none.
func hasText(value any) bool {
	switch value := value.(type) {
	case string:
		return visible(value)
	case []any:
		return slices.ContainsFunc(value, hasText)
	case map[string]any:
		for _, part := range value {
			if hasText(part) {
				return true
			}
		}
	}
	return false
}

// reach calls found with each value at a dotted field, such as data.total or items[].text, until it returns true, and
// reports whether it did.
func reach(value any, field string, found func(any) bool) bool {
	name, rest, deeper := strings.Cut(field, ".")
	name, each := strings.CutSuffix(name, "[]")
	object, _ := value.(map[string]any)
	value, ok := object[name]
	if !ok {
		return false
	}
	next := func(value any) bool {
		if deeper {
			return reach(value, rest, found)
		}
		return found(value)
	}
	if !each {
		return next(value)
	}
	array, _ := value.([]any)
	return slices.ContainsFunc(array, next)
}
