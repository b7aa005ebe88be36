package handlers

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/views/pages"
)

const (
	documentPath = "/api/openapi.json"
	docsPath     = "/api/docs"
)

// showDocs is GET /api/docs and /{locale}/api/docs: the OpenAPI document as a page, without scripts or foreign
// resources.
func (h *Handler) showDocs(docs pages.APIDocs) fiber.Handler {
	return func(c *fiber.Ctx) error {
		if _, chosen := c.Locals(localLocale).(string); !chosen {
			h.setLocale(c, h.preferredLocale(c))
			c.Vary(fiber.HeaderAcceptLanguage, fiber.HeaderCookie)
		}
		return h.render(c, fiber.StatusOK, "docs.title", pages.APIReference(docs))
	}
}

// docsOf converts the document into the page's reading order.
func (h *Handler) docsOf(doc *huma.OpenAPI) pages.APIDocs {
	r := &docsReader{doc}
	docs := pages.APIDocs{Version: doc.Info.Version, DocumentURL: documentPath,
		Introduction: strings.Split(doc.Info.Description, "\n\n"), Errors: errorReference(),
		ErrorFields: append(r.fields(&huma.Schema{Ref: "#/components/schemas/Envelope"}),
			r.fields(&huma.Schema{Ref: "#/components/schemas/ApiError"})...)}
	for _, tag := range doc.Tags {
		docs.Groups = append(docs.Groups, pages.APIGroup{Name: tag.Name, Description: tag.Description,
			Calls: r.calls(tag.Name)})
	}
	for i := range docs.ErrorFields {
		if f := &docs.ErrorFields[i]; f.Name == "code" { // listed below, with their cures
			f.Kind, f.Description = huma.TypeString, "For programs; one of the codes below."
		}
	}
	h.addExamples(&docs)
	return docs
}

// docsReader reads the document.
type docsReader struct{ doc *huma.OpenAPI }

// calls lists the calls of a group; GET comes before POST.
func (r *docsReader) calls(tag string) []pages.APICall {
	var calls []pages.APICall
	for _, path := range slices.Sorted(maps.Keys(r.doc.Paths)) {
		for _, op := range []*huma.Operation{r.doc.Paths[path].Get, r.doc.Paths[path].Post} {
			if op != nil && slices.Contains(op.Tags, tag) {
				calls = append(calls, r.call(op))
			}
		}
	}
	return calls
}

func (r *docsReader) call(op *huma.Operation) pages.APICall {
	call := pages.APICall{ID: op.OperationID, Method: op.Method, Path: op.Path, Summary: op.Summary,
		Description: op.Description}
	for _, one := range op.Security {
		_, key := one[schemeKey]
		_, session := one[schemeSession]
		call.ForKeys, call.ForSessions = call.ForKeys || key, call.ForSessions || session
	}
	for _, p := range op.Parameters {
		call.Parameters = append(call.Parameters, pages.APIField{Name: p.Name, Place: p.In, Kind: r.kind(p.Schema),
			Description: p.Description, Required: p.Required})
	}
	if op.RequestBody != nil {
		call.Body = r.fields(op.RequestBody.Content[fiber.MIMEApplicationJSON].Schema)
	}
	for _, status := range slices.Sorted(maps.Keys(op.Responses)) {
		response := op.Responses[status]
		call.Answers = append(call.Answers, pages.APIAnswer{Status: status, Meaning: response.Description})
		media := response.Content[fiber.MIMEApplicationJSON]
		if status[0] == '2' {
			call.Result = r.fields(media.Schema)
		}
		for _, name := range slices.Sorted(maps.Keys(media.Examples)) {
			if caller, ran := media.Examples[name].Extensions["x-caller"].(string); ran {
				call.Examples = append(call.Examples, r.example(op, name, caller, status, media.Examples[name]))
				call.Examples[len(call.Examples)-1].ID = op.OperationID + "-" + name
			}
		}
	}
	if len(call.Examples) > 0 {
		orderLike(call.Examples[0].Answer, call.Result)
	}
	return call
}

// orderLike sorts the fields of an answer as its example has them.
func orderLike(answer string, fields []pages.APIField) {
	place := func(f pages.APIField) int {
		return strings.Index(answer, strconv.Quote(f.Name[strings.LastIndex(f.Name, ".")+1:])+":")
	}
	slices.SortStableFunc(fields, func(a, b pages.APIField) int { return cmp.Compare(place(a), place(b)) })
}

// resolve follows a reference.
func (r *docsReader) resolve(s *huma.Schema) *huma.Schema {
	for s.Ref != "" {
		s = r.doc.Components.Schemas.SchemaFromRef(s.Ref)
	}
	return s
}

// fields lists an object's fields. Fields of the objects in a list follow under the list's name.
func (r *docsReader) fields(s *huma.Schema) []pages.APIField {
	s = r.resolve(s)
	var list []pages.APIField
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		field := s.Properties[name]
		if field.Ref != "" { // error: its fields are listed separately
			continue
		}
		list = append(list, pages.APIField{Name: name, Kind: r.kind(field), Description: field.Description,
			Required: slices.Contains(s.Required, name)})
		if field.Items != nil {
			for _, inner := range r.fields(field.Items) {
				inner.Name = name + "[]." + inner.Name
				list = append(list, inner)
			}
		}
	}
	slices.SortStableFunc(list, func(a, b pages.APIField) int {
		switch {
		case a.Required == b.Required:
			return 0
		case a.Required:
			return -1
		}
		return 1
	})
	return list
}

// kind writes a type with its limits.
func (r *docsReader) kind(s *huma.Schema) string {
	s = r.resolve(s)
	parts := []string{s.Type}
	if s.Format != "" && s.Type == huma.TypeString {
		parts = append(parts, s.Format)
	}
	if s.Minimum != nil {
		parts = append(parts, fmt.Sprintf("≥ %.0f", *s.Minimum))
	}
	if s.Maximum != nil {
		parts = append(parts, fmt.Sprintf("≤ %.0f", *s.Maximum))
	}
	if s.MinLength != nil && s.MaxLength != nil {
		parts = append(parts, fmt.Sprintf("length %d–%d", *s.MinLength, *s.MaxLength))
	}
	if len(s.Enum) > 0 {
		words := make([]string, len(s.Enum))
		for i, word := range s.Enum {
			words[i] = fmt.Sprint(word)
		}
		parts = append(parts, strings.Join(words, " | "))
	}
	if s.Nullable {
		parts = append(parts, "null")
	}
	return strings.Join(parts, ", ")
}

// example writes one exchange as a curl command and its answer.
func (r *docsReader) example(op *huma.Operation, name, caller, status string, answer *huma.Example) pages.APIExample {
	path, query := op.Path, url.Values{}
	var header []string
	switch caller {
	case schemeKey:
		header = []string{"Authorization: Bearer rmc_…"}
	case schemeSession:
		header = []string{"Cookie: " + r.doc.Components.SecuritySchemes[schemeSession].Name + "=…"}
	}
	for _, p := range op.Parameters {
		e, ok := p.Examples[name]
		if !ok {
			continue
		}
		switch value := fmt.Sprint(e.Value); p.In {
		case "path":
			path = strings.ReplaceAll(path, "{"+p.Name+"}", value)
		case "query":
			query.Set(p.Name, value)
		case "header":
			header = append(header, p.Name+": "+value)
		}
	}
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	body := ""
	if op.RequestBody != nil {
		if e := op.RequestBody.Content[fiber.MIMEApplicationJSON].Examples[name]; e != nil {
			header = append(header, "Content-Type: application/json")
			body = " \\\n  -d '" + jsonText(e.Value, "") + "'"
		}
	}
	curl := "curl "
	if op.Method != fiber.MethodGet {
		curl += "-X " + op.Method + " "
	}
	curl += "'" + r.doc.Servers[0].URL + path + "'"
	for _, line := range header {
		curl += " \\\n  -H '" + line + "'"
	}
	code, _ := strconv.Atoi(status)
	return pages.APIExample{Summary: answer.Summary, Curl: curl + body, Status: status + " " + http.StatusText(code),
		Answer: jsonText(answer.Value, "  ")}
}

// jsonText writes an example; with indent, over several lines.
func jsonText(value any, indent string) string {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", indent)
	if err := encoder.Encode(value); err != nil {
		panic(err) // examples are constant: this fails at every start or never
	}
	return strings.TrimSpace(text.String())
}
