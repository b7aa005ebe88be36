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

// inputRules are the strict rules of a call's input, read from its documentation.
type inputRules struct {
	needKey  bool // idempotency key required
	hasBody  bool
	needBody bool
	open     bool              // undocumented fields are ignored
	fields   map[string]bool   // of the body; true when required
	query    map[string]bool   // parameters; true for numbers
	expected map[string]string // what fits each field and parameter
}

// read reads the rules from an operation's documentation, so that both always agree.
func (r *inputRules) read(doc *huma.OpenAPI, op *huma.Operation) {
	r.fields, r.query, r.expected = map[string]bool{}, map[string]bool{}, map[string]string{}
	reader := &docsReader{doc}
	for _, p := range op.Parameters {
		r.expected[p.Name] = reader.kind(p.Schema)
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
	schema := reader.resolve(op.RequestBody.Content[fiber.MIMEApplicationJSON].Schema)
	r.hasBody, r.needBody, r.open = true, op.RequestBody.Required, schema.AdditionalProperties == true
	for name, field := range schema.Properties {
		r.expected[name] = reader.kind(field)
		r.fields[name] = slices.Contains(schema.Required, name)
	}
}

// guard admits authorized callers with unambiguous input to huma's validation. huma takes the last of two equal
// fields, ignores case and reads "+1"; none of that may decide about credits.
func (h *Handler) guard(who access, rules *inputRules) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		c := humafiber.Unwrap(ctx)
		c.Locals(localCall).(*apiCall).rules = rules
		err := who.authorize(c)
		if err == nil {
			err = rules.check(c)
		}
		if err != nil {
			c.Locals(localCall).(*apiCall).err = err
			return
		}
		next(readContext{ctx, c.Request().Body()})
	}
}

// readContext makes huma read the body that readBody has read; its adapter would read from the connection.
type readContext struct {
	humaContext
	body []byte
}

type humaContext = huma.Context // embedding needs another name than its method Context

// Unwrap returns the context of huma's adapter.
func (c readContext) Unwrap() huma.Context { return c.humaContext }

// BodyReader returns the request body.
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

// isJSON reports whether the body is declared as plain JSON. Only our own pages can make a browser send this content
// type across sites, which is why these calls need no CSRF token (sameOrigin checks the rest).
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

// checkKey requires at most one idempotency key, and one where the call needs it. An empty key is an error, because
// its sender relies on it.
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

// checkQuery accepts only known parameters, each once, and numbers as plain digits.
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
			return named(fault.Invalid, fault.FieldUnknown, name)
		case seen[name]:
			return named(fault.Invalid, fault.FieldTwice, name)
		case number && parseDigits(value) < 0, value == "", !models.Storable(value):
			return r.unfit(name)
		}
		seen[name] = true
	}
	return nil
}

// checkBody accepts one UTF-8 object of limited depth with known fields, each once.
func (r *inputRules) checkBody(sent []byte) error {
	body := bytes.TrimSpace(sent)
	if len(body) == 0 || body[0] != '{' || !json.Valid(body) || !utf8.Valid(body) {
		return unreadable(sent)
	}
	names, err := scanObject(body)
	if err != nil {
		return err
	}
	for _, name := range names {
		if !r.knows(name) {
			return named(fault.Invalid, fault.FieldUnknown, name)
		}
	}
	for name, needed := range r.fields {
		if needed && !slices.Contains(names, name) {
			return fault.Field(name, fault.FieldMissing)
		}
	}
	return nil
}

// knows reports whether a field is accepted. A call that ignores unknown fields still refuses a known name in another
// case, because encoding/json would match it.
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

// named returns a refusal that names a field in the answer but not in the log, because the caller chose the name.
func named(code fault.Code, problem fault.Problem, name string) *fault.Error {
	const most = 100
	name = strings.ToValidUTF8(name, "\uFFFD")
	if utf8.RuneCountInString(name) > most {
		name = string([]rune(name)[:most])
	}
	return fault.Because(code, problem).With("field", name)
}

// problems maps fields to the problem when huma's validation refuses their value.
var problems = map[string]fault.Problem{
	"priceId": fault.PriceUnknown, "quantity": fault.QuantityRange, "locale": fault.LocaleUnknown,
	"feature": fault.FeatureUnknown, "cursor": fault.CursorInvalid, "limit": fault.LimitRange,
	"email": fault.EmailInvalid, "ttlSeconds": fault.TTLRange, "credits": fault.CaptureRange,
}

// unfit returns the refusal of a value, and says what would fit.
func (r *inputRules) unfit(field string) *fault.Error {
	problem, ok := problems[field]
	if !ok {
		problem = fault.ValueUnfit
	}
	return fault.Field(field, problem).With("expected", r.expected[field])
}

// faultOfModel converts huma's validation error to a fault about its first field. huma's texts quote the request and
// are dropped.
func (r *inputRules) faultOfModel(m *huma.ErrorModel) error {
	switch m.Status {
	case fiber.StatusBadRequest, fiber.StatusUnsupportedMediaType:
		return fault.Because(fault.Malformed, fault.BodyUnreadable)
	case fiber.StatusUnprocessableEntity:
	default:
		return fault.Wrap(fault.Internal, m)
	}
	place, name := "", ""
	if len(m.Errors) > 0 {
		place, name, _ = strings.Cut(m.Errors[0].Location, ".")
	}
	switch {
	case place == "path": // an invalid id names no row
		return fault.New(fault.NotFound, nil)
	case place == "header":
		return fault.Because(fault.Malformed, fault.KeyLength)
	case name == "":
		return fault.Because(fault.Malformed, fault.BodyUnreadable)
	}
	name, _, _ = strings.Cut(name, ".")
	name, _, _ = strings.Cut(name, "[")
	return r.unfit(name)
}

// parseJSON decodes a body. huma decodes twice: first into any for its validation, then into the operation's type.
// For the first, a number other than a plain integer stays text, which the validation refuses: 1e3 and 1.0 are no
// quantity.
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
