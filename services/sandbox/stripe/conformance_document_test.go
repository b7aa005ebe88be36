package stripe_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// Document is Stripe's OpenAPI description of its API at version 2024-09-30, which does not differ from
// 2024-06-20 in one-time payments. It is 6 MB long, so each schema is parsed on first use.
type Document struct {
	paths map[string]map[string]operation
	raw   map[string]json.RawMessage

	mu      sync.Mutex
	schemas map[string]*schema
}

type operation struct {
	Responses map[string]struct {
		Content map[string]struct {
			Schema json.RawMessage `json:"schema"`
		} `json:"content"`
	} `json:"responses"`
}

// stripesDocument returns Stripe's document, read once. The source of stripe-mock contains it, which a module of
// its own in testdata/conformance pins with its checksum.
// Errors: stripe-mock's source cannot be found, downloaded or read.
var stripesDocument = sync.OnceValues(func() (*Document, error) {
	find := exec.CommandContext(context.Background(), "go", "mod", "download", "-json", "github.com/stripe/stripe-mock")
	find.Dir = "testdata/conformance"
	find.Env = append(os.Environ(), "GOFLAGS=-buildvcs=false -trimpath", "GOWORK=off", "CGO_ENABLED=0")
	said, err := find.Output()
	var module struct{ Dir string }
	if err == nil {
		err = json.Unmarshal(said, &module)
	}
	if err != nil || module.Dir == "" {
		return nil, fmt.Errorf("find the source of stripe-mock: %w", err)
	}
	data, err := os.ReadFile(filepath.Join(module.Dir, "embedded", "openapi", "spec3.json"))
	if err != nil {
		return nil, fmt.Errorf("read Stripe's document: %w", err)
	}
	var text struct {
		Paths      map[string]map[string]operation `json:"paths"`
		Components struct {
			Schemas map[string]json.RawMessage `json:"schemas"`
		} `json:"components"`
	}
	if err := json.Unmarshal(data, &text); err != nil {
		return nil, fmt.Errorf("read Stripe's document: %w", err)
	}
	return &Document{paths: text.Paths, raw: text.Components.Schemas, schemas: map[string]*schema{}}, nil
})

// Answer reports what is wrong with the body of an answer: an unknown member, a required one that is missing, a value
// that is not allowed. An address that the document does not list is wrong too, except payment pages.
func (d *Document) Answer(method, path string, status int, body []byte) []string {
	value, err := decode(body)
	if err != nil {
		return []string{err.Error()}
	}
	if status >= 400 {
		return d.named("error", value, "error answer")
	}
	route := d.Route(path)
	operation, known := d.paths[route][strings.ToLower(method)]
	if !known && strings.HasPrefix(path, undocumented) {
		return d.object(value, "answer")
	}
	if !known {
		return []string{"Stripe's document has no " + method + " " + path}
	}
	raw := operation.Responses["200"].Content["application/json"].Schema
	s, err := parseSchema(raw)
	if err != nil {
		return []string{err.Error()}
	}
	return d.check(s, value, "answer")
}

// undocumented is the address with which Stripe's hosted page, and "stripe trigger", read and pay a session.
const undocumented = "/v1/payment_pages/"

// Event reports what is wrong with the body of an event and with its object.
func (d *Document) Event(body []byte) []string {
	value, err := decode(body)
	if err != nil {
		return []string{err.Error()}
	}
	return d.named("event", value, "event")
}

// Route returns the document's address for a path, such as /v1/prices/{price}, or "".
func (d *Document) Route(path string) string {
	given := strings.Split(path, "/")
	found, best := "", -1
	for _, route := range slices.Sorted(maps.Keys(d.paths)) {
		if literal := matching(strings.Split(route, "/"), given); literal > best {
			found, best = route, literal
		}
	}
	return found
}

// matching counts the parts of a path that a route names literally; -1 when the route does not match.
func matching(route, given []string) int {
	if len(route) != len(given) {
		return -1
	}
	literal := 0
	for i, part := range route {
		switch {
		case part == given[i]:
			literal++
		case !strings.HasPrefix(part, "{") || given[i] == "":
			return -1
		}
	}
	return literal
}

// object checks a value by the schema that its member "object" names.
func (d *Document) object(value any, at string) []string {
	members, _ := value.(map[string]any)
	kind, _ := members["object"].(string)
	if members["deleted"] == true {
		kind = "deleted_" + kind
	}
	return d.named(kind, value, at)
}

// named checks a value by a schema of the document.
func (d *Document) named(name string, value any, at string) []string {
	s, err := d.schema(name)
	if err != nil {
		return []string{at + ": " + err.Error()}
	}
	violations := d.check(s, value, at)
	if name == "event" && len(violations) == 0 {
		violations = d.content(value, at)
	}
	return violations
}

// content checks the data of an event, which the document leaves open.
func (d *Document) content(event any, at string) []string {
	members, _ := event.(map[string]any)
	data, _ := members["data"].(map[string]any)
	object, _ := data["object"].(map[string]any)
	kind, _ := object["object"].(string)
	at = fmt.Sprintf("%s %v: data.object", at, members["type"])
	violations := d.object(data["object"], at)
	before, _ := data["previous_attributes"].(map[string]any)
	s, err := d.schema(kind)
	if err != nil {
		return violations
	}
	for _, name := range slices.Sorted(maps.Keys(before)) {
		if s.Properties[name] == nil {
			violations = append(violations, fmt.Sprintf("%s: previous_attributes.%s is not a member of a %s", at, name, kind))
		}
	}
	return violations
}

func (d *Document) schema(name string) (*schema, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if s := d.schemas[name]; s != nil {
		return s, nil
	}
	raw, ok := d.raw[name]
	if !ok {
		return nil, fmt.Errorf("Stripe's document knows no object %q", name)
	}
	s, err := parseSchema(raw)
	if err == nil {
		d.schemas[name] = s
	}
	return s, err
}

func decode(body []byte) (any, error) {
	var value any
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if err := d.Decode(&value); err != nil {
		return nil, fmt.Errorf("no JSON: %w", err)
	}
	return value, nil
}
