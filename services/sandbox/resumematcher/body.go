package resumematcher

import (
	"encoding/json"
	"fmt"
	"maps"
	"mime"
	"os"
	"strings"
)

// fill returns a copy of a value of the table with its variables replaced. A text that is a variable becomes its value.
func (c *call) fill(value any) any {
	switch value := value.(type) {
	case string:
		if name, isName := strings.CutPrefix(value, "$"); isName && !strings.Contains(name, " ") {
			return c.value(name)
		}
		return os.Expand(value, func(name string) string {
			if found := c.value(name); found != nil {
				return fmt.Sprint(found)
			}
			return ""
		})
	case []any:
		filled := make([]any, len(value))
		for i, one := range value {
			filled[i] = c.fill(one)
		}
		return filled
	case object:
		filled := object{}
		for name, one := range value {
			filled[name] = c.fill(one)
		}
		return filled
	default:
		return value
	}
}

// value returns a variable, or a field of one.
func (c *call) value(name string) any {
	name, field, dotted := strings.Cut(name, ".")
	if of, isObject := c.vars[name].(object); isObject && dotted {
		return of[field]
	}
	return c.vars[name]
}

// readBody reads the JSON body into the variables, and returns what is wrong with it, as FastAPI reports it.
func (c *call) readBody(needs string) []object {
	if needs == "" {
		return nil
	}
	kind, _, _ := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	if kind != "application/json" {
		return invalid("model_attributes_type", "body", "Input should be a valid dictionary or object to extract fields from")
	}
	if err := json.Unmarshal(c.raw, &c.body); err != nil || c.body == nil {
		return invalid("json_invalid", "body", "JSON decode error")
	}
	for need := range strings.FieldsSeq(strings.TrimSuffix(needs, "any")) {
		name := strings.TrimRight(need, "[]{}")
		value, given := c.body[name]
		_, isList := value.([]any)
		_, isObject := value.(object)
		_, isText := value.(string)
		switch {
		case !given:
			return invalid("missing", name, "Field required")
		case isList != strings.HasSuffix(need, "[]"), isObject != strings.HasSuffix(need, "{}"), isText != (need == name):
			return invalid("type_error", name, "Input has the wrong type")
		}
	}
	path := c.vars
	c.vars = maps.Clone(c.body)
	maps.Copy(c.vars, path)
	c.vars["body"] = c.body
	return nil
}

// invalid is one error of FastAPI's validation.
func invalid(kind, field, text string) []object {
	location := []string{"body"}
	if field != "body" {
		location = append(location, field)
	}
	return []object{{"type": kind, "loc": location, "msg": text, "input": nil}}
}
