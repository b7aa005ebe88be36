package handlers

import (
	"bytes"
	"encoding/json"
	"io"
	"mime"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humafiber"
	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/fault"
)

const (
	headerKey    = "Idempotency-Key"
	maxJSONDepth = 32
)

// inputRules are what a call may say, as its document has it.
type inputRules struct {
	needKey  bool // an idempotency key
	hasBody  bool
	needBody bool
	open     bool            // fields that are not documented are ignored
	fields   map[string]bool // of the body; true when it must be there
	query    map[string]bool // parameters; true when it is a number
}

// read takes the rules from an operation's document, so that neither can say what the other does not.
func (r *inputRules) read(schemas huma.Registry, op *huma.Operation) {
	r.fields, r.query = map[string]bool{}, map[string]bool{}
	for _, p := range op.Parameters {
		switch p.In {
		case "query":
			r.query[p.Name] = p.Schema.Type == huma.TypeInteger
		case "header":
			r.needKey = p.Required
		}
	}
	if op.RequestBody == nil {
		return
	}
	schema := op.RequestBody.Content[fiber.MIMEApplicationJSON].Schema
	if schema.Ref != "" {
		schema = schemas.SchemaFromRef(schema.Ref)
	}
	r.hasBody, r.needBody, r.open = true, op.RequestBody.Required, schema.AdditionalProperties == true
	for name := range schema.Properties {
		r.fields[name] = slices.Contains(schema.Required, name)
	}
}

// guard lets a call through to huma's validation when the caller may make it and it can be read in one way only. huma
// takes the last of two fields of one name, ignores the letters' case and reads "+1"; none of that may decide about
// credits.
func (h *Handler) guard(who access, rules *inputRules) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		c := humafiber.Unwrap(ctx)
		err := who.admit(c)
		if err == nil {
			err = rules.check(c)
		}
		if err != nil {
			c.Locals(localRefusal, err)
			return
		}
		next(readContext{ctx, c.Request().Body()})
	}
}

// readContext has huma read the body that readBody has read: its adapter would look for one that is still on the wire.
type readContext struct {
	humaContext
	body []byte
}

type humaContext = huma.Context // whose own name is that of one of its methods

// Unwrap returns the context of huma's adapter.
func (c readContext) Unwrap() huma.Context { return c.humaContext }

// BodyReader returns the request's body.
func (c readContext) BodyReader() io.Reader { return bytes.NewReader(c.body) }

func (r *inputRules) check(c *fiber.Ctx) error {
	if err := r.checkKey(c); err != nil {
		return err
	}
	if err := r.checkQuery(c); err != nil || !r.hasBody {
		return err
	}
	body := c.Request().Body()
	if len(body) == 0 && !r.needBody {
		return nil
	}
	if !isJSON(c) {
		return fault.Because(fault.Malformed, fault.ContentTypeNotJSON)
	}
	return r.checkBody(body)
}

// isJSON reports whether the body is said to be plain JSON. Only a page of ours can make a browser send this content
// type, which is why these calls need no token beside the session (sameOrigin checks the rest).
func isJSON(c *fiber.Ctx) bool {
	if packed := c.Get(fiber.HeaderContentEncoding); packed != "" && packed != "identity" {
		return false
	}
	kind := c.Get(fiber.HeaderContentType)
	if kind == fiber.MIMEApplicationJSON {
		return true
	}
	kind, _, err := mime.ParseMediaType(kind)
	return err == nil && kind == fiber.MIMEApplicationJSON
}

// checkKey wants one idempotency key, or none where the call can do without. One that is sent and empty is a mistake of
// somebody who relies on it.
func (r *inputRules) checkKey(c *fiber.Ctx) error {
	sent := c.Request().Header.PeekAll(headerKey)
	if len(sent) == 0 {
		if r.needKey {
			return fault.Because(fault.Malformed, fault.KeyRequired)
		}
		return nil
	}
	if len(sent) > 1 || len(sent[0]) == 0 {
		return fault.Because(fault.Malformed, fault.KeyLength)
	}
	return nil
}

// checkQuery wants every parameter to be one that the call knows, once, and numbers in plain digits.
func (r *inputRules) checkQuery(c *fiber.Ctx) error {
	args := c.Context().QueryArgs()
	if args.Len() == 0 {
		return nil
	}
	seen := map[string]bool{}
	for rawName, rawValue := range args.All() {
		name, value := string(rawName), string(rawValue)
		number, known := r.query[name]
		switch {
		case !known:
			return unknownField(name)
		case seen[name]:
			return fault.Field(name, fault.FieldTwice)
		case number && parseDigits(value) < 0, value == "", !models.Storable(value):
			return fault.Field(name, problemOf(name))
		}
		seen[name] = true
	}
	return nil
}

// checkBody wants one object that says each thing once, in UTF-8, names no field that the call does not know, and is
// not nested without end.
func (r *inputRules) checkBody(body []byte) error {
	body = bytes.TrimSpace(body)
	if len(body) == 0 || body[0] != '{' || !json.Valid(body) || !utf8.Valid(body) {
		return fault.Because(fault.Malformed, fault.RequestUnderstood)
	}
	names, err := scanObject(body)
	if err != nil {
		return err
	}
	for _, name := range names {
		if !r.knows(name) {
			return unknownField(name)
		}
	}
	for name, needed := range r.fields {
		if needed && !slices.Contains(names, name) {
			return fault.Field(name, fault.FieldMissing)
		}
	}
	return nil
}

// knows reports whether a field may be sent. Also a call that ignores what it does not know refuses a known name in
// other letters: Go's JSON would take it for the field.
func (r *inputRules) knows(name string) bool {
	if _, known := r.fields[name]; known {
		return true
	}
	for known := range r.fields {
		if strings.EqualFold(known, name) {
			return false
		}
	}
	return r.open
}

// unknownField names the field in the answer, and not in the log: it is whatever the caller wrote.
func unknownField(name string) error {
	const most = 100
	name = strings.ToValidUTF8(name, "\uFFFD")
	if utf8.RuneCountInString(name) > most {
		name = string([]rune(name)[:most])
	}
	return &fault.Error{Code: fault.Invalid, Problem: fault.FieldUnknown, Detail: map[string]any{"field": name}}
}

// problems says what is wrong with a field when huma's validation refuses its value.
var problems = map[string]fault.Problem{
	"priceId": fault.PriceUnknown, "quantity": fault.QuantityRange, "locale": fault.LocaleUnknown,
	"feature": fault.FeatureUnknown, "cursor": fault.CursorInvalid, "limit": fault.LimitRange,
	"email": fault.EmailInvalid, "ttlSeconds": fault.TTLRange, "credits": fault.CaptureRange,
}

func problemOf(field string) fault.Problem {
	if problem, ok := problems[field]; ok {
		return problem
	}
	return fault.ValueUnfit
}

// faultOfModel says in our words what huma refused: a value, by its field. Its own texts quote the request and are dropped.
func faultOfModel(m *huma.ErrorModel) error {
	switch m.Status {
	case fiber.StatusBadRequest, fiber.StatusUnsupportedMediaType:
		return fault.Because(fault.Malformed, fault.RequestUnderstood)
	case fiber.StatusUnprocessableEntity:
	default:
		return fault.Wrap(fault.Internal, m)
	}
	place, name := "", ""
	if len(m.Errors) > 0 {
		place, name, _ = strings.Cut(m.Errors[0].Location, ".")
	}
	switch {
	case place == "path": // what cannot be an id is the id of nothing
		return fault.New(fault.NotFound, nil)
	case place == "header":
		return fault.Because(fault.Malformed, fault.KeyLength)
	case name == "":
		return fault.Because(fault.Malformed, fault.RequestUnderstood)
	}
	name, _, _ = strings.Cut(name, ".")
	name, _, _ = strings.Cut(name, "[")
	return fault.Field(name, problemOf(name))
}

// parseJSON reads a body twice: as huma asks for it, first into anything, for its validation, then into the operation's
// type. For the first, a number that is not a whole one as people write it stays text, which no number may be: 1e3 and
// 1.0 are as little a quantity as "1".
func parseJSON(data []byte, into any) error {
	whole, validating := into.(*any)
	if !validating {
		return json.Unmarshal(data, into)
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	if err := decoder.Decode(whole); err != nil {
		return err
	}
	fields, _ := (*whole).(map[string]any)
	for name, value := range fields {
		if number, ok := value.(json.Number); ok {
			if n, err := strconv.ParseInt(string(number), 10, 64); err == nil {
				fields[name] = n
			}
		}
	}
	return nil
}
