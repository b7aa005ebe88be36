package stripe

import (
	"maps"
	"net/mail"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// rule refuses a value that its parameter does not allow.
type rule func(name, value string) error

// schema lists the parameters of an endpoint. "[]" stands for a position in a list, "[*]" for any key.
type schema map[string]rule

// with returns a schema with the parameters of all.
func (s schema) with(all ...schema) schema {
	merged := schema{}
	maps.Copy(merged, s)
	for _, other := range all {
		maps.Copy(merged, other)
	}
	return merged
}

// metadataParams are the parameters of a map called name.
func metadataParams(name string) schema {
	return schema{name: text(0), name + "[*]": anything}
}

func anything(string, string) error { return nil }

// text allows up to that many characters. An empty text unsets the value.
func text(limit int) rule {
	return func(name, value string) error {
		if utf8.RuneCountInString(value) > limit {
			return invalid("parameter_invalid_string_too_long", name, "Invalid string: must be at most %d characters", limit)
		}
		return nil
	}
}

// identifier is a text that cannot be unset.
func identifier(name, value string) error {
	if strings.TrimSpace(value) == "" {
		return invalid("parameter_invalid_empty", name,
			"You passed an empty string for '%s'. We assume empty values are an attempt to unset a parameter; however '%s' cannot be unset.", name, name)
	}
	return text(500)(name, value)
}

func integer(lowest, highest int64) rule {
	return func(name, value string) error {
		n, err := strconv.ParseInt(value, 10, 64)
		switch {
		case err != nil:
			return invalid("parameter_invalid_integer", name, "Invalid integer: %s", value)
		case n < lowest:
			return invalid("parameter_invalid_integer", name, "This value must be greater than or equal to %d.", lowest)
		case n > highest:
			return invalid("parameter_invalid_integer", name, "This value must be less than or equal to %d.", highest)
		}
		return nil
	}
}

// optional allows an empty value, too.
func optional(r rule) rule {
	return func(name, value string) error {
		if value == "" {
			return nil
		}
		return r(name, value)
	}
}

func boolean(name, value string) error {
	if value != "true" && value != "false" {
		return invalid("parameter_invalid_boolean", name, "Invalid boolean: %s", value)
	}
	return nil
}

func oneOf(allowed ...string) rule {
	return func(name, value string) error {
		if slices.Contains(allowed, value) {
			return nil
		}
		last := len(allowed) - 1
		list := allowed[last]
		if last > 0 {
			list = strings.Join(allowed[:last], ", ") + ", or " + list
		}
		return invalid("", name, "Invalid %s: must be one of %s", name, list)
	}
}

func emailAddress(name, value string) error {
	if value == "" || validEmail(value) {
		return nil
	}
	return invalid("email_invalid", name, "Invalid email address: %s", value)
}

// validEmail reports whether value is one bare address.
func validEmail(value string) bool {
	a, err := mail.ParseAddress(value)
	return err == nil && a.Address == value && len(value) <= 512
}

func webAddress(name, value string) error {
	u, err := url.Parse(value)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") || len(value) > 5000 {
		return invalid("url_invalid", name, "Not a valid URL")
	}
	return nil
}

// currencies lists the currencies that the stand-in formats and rounds.
var currencies = []string{"chf", "czk", "dkk", "eur", "gbp", "jpy", "nok", "pln", "sek", "usd"}

func currencyCode(name, value string) error {
	if !slices.Contains(currencies, strings.ToLower(value)) {
		return invalid("", name, "Invalid currency: %s. This stand-in knows: %s", value, strings.Join(currencies, ", "))
	}
	return nil
}
