package stripe

import (
	"bytes"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Stripe's limits for metadata.
const (
	maxMetadataPairs = 50
	maxMetadataKey   = 40
	maxMetadataValue = 500
)

// form holds the parameters of a request by name, with positions written out:
// "line_items[0][price]".
type form map[string]string

var (
	paramName = regexp.MustCompile(`^[^\[\]]+(\[[^\[\]]*\])*$`)
	position  = regexp.MustCompile(`\[\d*\]`)
)

// readParams reads body and query.
func readParams(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	var body bytes.Buffer
	if _, err := body.ReadFrom(r.Body); err != nil {
		return nil, invalid("", "", "Invalid request: the body cannot be read or is too large.")
	}
	params, err := url.ParseQuery(body.String())
	if err != nil {
		return nil, invalid("", "", "Invalid request: the body is not form encoded.")
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, invalid("", "", "Invalid request: cannot read the query string.")
	}
	maps.Copy(params, query)
	return params, nil
}

// parseForm reads Stripe's form encoding: a[b]=c, a[0][b]=c and a[]=c.
func parseForm(values url.Values) (form, error) {
	f := form{}
	for name, given := range values {
		if !paramName.MatchString(name) || !storable(name) {
			return nil, invalid("", "", "Invalid request: cannot read the parameter name %q.", name)
		}
		for i, value := range given {
			if !storable(value) {
				return nil, invalid("", name, "Invalid string: %q", value)
			}
			f[strings.ReplaceAll(name, "[]", "["+strconv.Itoa(i)+"]")] = value
		}
	}
	return f, nil
}

// storable reports whether PostgreSQL can store the text as JSON.
func storable(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }

// check refuses parameters that the schema does not list or allow.
func (s schema) check(f form) error {
	for _, name := range slices.Sorted(maps.Keys(f)) {
		rule := s.rule(name)
		if rule == nil {
			return invalid("parameter_unknown", name, "Received unknown parameter: %s", name)
		}
		if err := rule(name, f[name]); err != nil {
			return err
		}
	}
	return nil
}

func (s schema) rule(name string) rule {
	if rule, ok := s[position.ReplaceAllString(name, "[]")]; ok {
		return rule
	}
	if i := strings.LastIndexByte(name, '['); i >= 0 { // a map with keys of the caller's own
		return s[position.ReplaceAllString(name[:i], "[]")+"[*]"]
	}
	return nil
}

// require refuses a request that lacks one of the parameters.
func (f form) require(names ...string) error {
	for _, name := range names {
		if f[name] == "" {
			return invalid("parameter_missing", name, "Missing required param: %s.", name)
		}
	}
	return nil
}

func (f form) has(name string) bool {
	_, ok := f[name]
	return ok
}

// optional returns the text, or nil when it is absent or empty.
func (f form) optional(name string) *string {
	if f[name] == "" {
		return nil
	}
	return new(f[name])
}

// set overwrites a text if the parameter is present; an empty one unsets it.
func (f form) set(target **string, name string) {
	if f.has(name) {
		*target = f.optional(name)
	}
}

// integer returns a number that the schema has checked, or 0 when it is absent.
func (f form) integer(name string) int64 {
	n, err := strconv.ParseInt(f[name], 10, 64)
	if err != nil {
		return 0
	}
	return n
}

func (f form) truth(name string) bool { return f[name] == "true" }

// positions returns the positions of a list, in order: "line_items" gives
// "line_items[0]", "line_items[1]".
func (f form) positions(list string) []string {
	found := map[int]string{}
	for name := range f {
		rest, ok := strings.CutPrefix(name, list+"[")
		if !ok {
			continue
		}
		digits, _, _ := strings.Cut(rest, "]")
		if n, err := strconv.Atoi(digits); err == nil {
			found[n] = list + "[" + digits + "]"
		}
	}
	var names []string
	for _, n := range slices.Sorted(maps.Keys(found)) {
		names = append(names, found[n])
	}
	return names
}

// texts returns the values of a list of texts.
func (f form) texts(list string) []string {
	values := []string{}
	for _, name := range f.positions(list) {
		values = append(values, f[name])
	}
	return values
}

// metadata applies the map under name to old: an empty value removes its key, an empty map removes all.
func (f form) metadata(name string, old map[string]string) (map[string]string, error) {
	merged := map[string]string{}
	if value, given := f[name]; !given || value != "" {
		maps.Copy(merged, old)
	}
	for param, value := range f {
		key, ok := strings.CutPrefix(param, name+"[")
		if !ok {
			continue
		}
		key = strings.TrimSuffix(key, "]")
		switch {
		case utf8.RuneCountInString(key) > maxMetadataKey:
			return nil, invalid("", param, "Metadata keys can have up to %d characters.", maxMetadataKey)
		case utf8.RuneCountInString(value) > maxMetadataValue:
			return nil, invalid("", param, "Metadata values can have up to %d characters.", maxMetadataValue)
		case value == "":
			delete(merged, key)
		default:
			merged[key] = value
		}
	}
	if len(merged) > maxMetadataPairs {
		return nil, invalid("", name, "Metadata can have up to %d keys.", maxMetadataPairs)
	}
	return merged, nil
}
