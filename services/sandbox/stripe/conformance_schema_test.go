package stripe_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// schema is the part of JSON Schema that Stripe's document uses. A library does not do: unknown members must be wrong
// on every level, which the document itself does not say, and getkin/kin-openapi takes 10 seconds to read this document
// under the race detector.
type schema struct {
	Ref        string             `json:"$ref"`
	Type       string             `json:"type"`
	Nullable   bool               `json:"nullable"`
	Properties map[string]*schema `json:"properties"`
	Required   []string           `json:"required"`
	Others     *schema            `json:"additionalProperties"`
	Items      *schema            `json:"items"`
	AnyOf      []*schema          `json:"anyOf"`
	Enum       []any              `json:"enum"`
	MaxLength  int                `json:"maxLength"`
	Pattern    string             `json:"pattern"`
	Format     string             `json:"format"`

	Title       aside `json:"title"`
	Description aside `json:"description"`
	Expandable  aside `json:"x-expandableFields"`
	Expansions  aside `json:"x-expansionResources"` // anyOf says the same
	Resource    aside `json:"x-resourceId"`
	Bypass      aside `json:"x-stripeBypassValidation"`
}

// aside is a keyword that restricts nothing.
type aside struct{}

// UnmarshalJSON ignores the text.
func (*aside) UnmarshalJSON([]byte) error { return nil }

// parseSchema refuses keywords that schema does not list, because they would go unchecked.
func parseSchema(raw json.RawMessage) (*schema, error) {
	var s schema
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		return nil, fmt.Errorf("schema in Stripe's document: %w", err)
	}
	return &s, nil
}

// check reports what is wrong with a value, and where.
func (d *Document) check(s *schema, value any, at string) []string {
	switch {
	case value == nil && s.Nullable:
		return nil
	case s.Ref != "":
		return d.named(s.Ref[strings.LastIndexByte(s.Ref, '/')+1:], value, at)
	case len(s.AnyOf) > 0:
		return d.anyOf(s.AnyOf, value, at)
	case s.Type != "" && !typed(s.Type, value):
		return []string{fmt.Sprintf("%s is %s, want %s", at, typeOf(value), s.Type)}
	case len(s.Enum) > 0 && !slices.Contains(s.Enum, value):
		return []string{fmt.Sprintf("%s is %q, want one of %q", at, value, s.Enum)}
	}
	switch v := value.(type) {
	case map[string]any:
		return d.members(s, v, at)
	case []any:
		var violations []string
		for i, one := range v { // each list in the document says of what
			violations = append(violations, d.check(s.Items, one, at+"["+strconv.Itoa(i)+"]")...)
		}
		return violations
	case string:
		return s.text(v, at)
	}
	return nil
}

func (d *Document) members(s *schema, value map[string]any, at string) []string {
	var violations []string
	for _, name := range s.Required {
		if _, ok := value[name]; !ok {
			violations = append(violations, at+"."+name+" is missing")
		}
	}
	open := len(s.Properties) == 0 && s.Others == nil // the document says nothing of it
	for _, name := range slices.Sorted(maps.Keys(value)) {
		rule := s.Properties[name]
		if rule == nil {
			rule = s.Others
		}
		switch {
		case rule != nil:
			violations = append(violations, d.check(rule, value[name], at+"."+name)...)
		case !open:
			violations = append(violations, at+"."+name+" is not in Stripe's document")
		}
	}
	return violations
}

// anyOf requires one option to match. If none does, it reports the closest one, which for an object is one of objects.
func (d *Document) anyOf(options []*schema, value any, at string) []string {
	var closest []string
	var types []string
	for _, option := range options {
		violations := d.check(option, value, at)
		if len(violations) == 0 {
			return nil
		}
		kind := d.typeName(option)
		types = append(types, kind)
		if typed(kind, value) && (closest == nil || len(violations) < len(closest)) {
			closest = violations
		}
	}
	if closest == nil {
		return []string{fmt.Sprintf("%s is %s, want one of %v", at, typeOf(value), types)}
	}
	return closest
}

func (d *Document) typeName(s *schema) string {
	if s.Ref == "" {
		return s.Type
	}
	named, err := d.schema(s.Ref[strings.LastIndexByte(s.Ref, '/')+1:])
	if err != nil {
		return err.Error()
	}
	return named.Type
}

// text checks a text.
func (s *schema) text(value, at string) []string {
	if s.MaxLength > 0 && utf8.RuneCountInString(value) > s.MaxLength {
		return []string{fmt.Sprintf("%s has more than %d characters", at, s.MaxLength)}
	}
	if s.Pattern != "" {
		if fits, err := regexp.MatchString(s.Pattern, value); err != nil || !fits {
			return []string{fmt.Sprintf("%s is %q, want %s (%v)", at, value, s.Pattern, err)}
		}
	}
	if s.Format == "decimal" {
		if _, err := strconv.ParseFloat(value, 64); err != nil {
			return []string{fmt.Sprintf("%s is %q, want a decimal number", at, value)}
		}
	}
	return nil
}

// typed reports whether a value has a type of JSON Schema.
func typed(kind string, value any) bool {
	found := typeOf(value)
	return found == kind || kind == "number" && found == "integer"
}

func typeOf(value any) string {
	switch v := value.(type) {
	case map[string]any:
		return "object"
	case []any:
		return "array"
	case string:
		return "string"
	case bool:
		return "boolean"
	case json.Number:
		if _, err := v.Int64(); err == nil {
			return "integer"
		}
		return "number"
	}
	return "null"
}
