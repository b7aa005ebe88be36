package handlers

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/gofiber/fiber/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"gopkg.in/yaml.v3"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/spend"
)

// readContract fetches the document and validates it, including its examples, with kin-openapi.
func readContract(t *testing.T, f *fixture) *openapi3.T {
	t.Helper()
	r := f.call("GET", "/api/openapi.json", "")
	doc, err := openapi3.NewLoader().LoadFromData([]byte(r.body))
	if err == nil {
		err = doc.Validate(context.Background())
	}
	if err != nil || r.status != 200 || doc.OpenAPI != "3.1.0" {
		t.Fatalf("GET /api/openapi.json: %d, %v", r.status, err)
	}
	return doc
}

// sentences returns the summaries and descriptions of a document by their path in it, without the code in them.
func sentences(t *testing.T, document string) map[string]string {
	t.Helper()
	var whole any
	if err := json.Unmarshal([]byte(document), &whole); err != nil {
		t.Fatal(err)
	}
	code, found := regexp.MustCompile("`[^`]*`"), map[string]string{}
	var walk func(path string, value any)
	walk = func(path string, value any) {
		switch v := value.(type) {
		case map[string]any:
			for key, member := range v {
				if text, ok := member.(string); ok && (key == "summary" || key == "description") {
					found[path+"/"+key] = code.ReplaceAllString(text, "")
				}
				walk(path+"/"+key, member)
			}
		case []any:
			for i, member := range v {
				walk(path+"/"+strconv.Itoa(i), member)
			}
		}
	}
	walk("", whole)
	if want := 50; len(found) < want {
		t.Fatalf("%d sentences in the document, want %d at least", len(found), want)
	}
	return found
}

func TestDocument(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	doc := readContract(t, f)
	if want := 10; doc.Paths.Len() < want {
		t.Fatalf("%d paths are documented, want %d", doc.Paths.Len(), want)
	}
	t.Run("is also valid as OpenAPI 3.0", func(t *testing.T) {
		older, err := f.handler.mountAPI(fiber.New()).Downgrade()
		if err != nil {
			t.Fatal(err)
		}
		doc, err := openapi3.NewLoader().LoadFromData(older)
		if err == nil {
			err = doc.Validate(context.Background())
		}
		if err != nil || doc.OpenAPI != "3.0.3" {
			t.Errorf("%s: %v", doc.OpenAPI, err)
		}
	})
	t.Run("is written by natives", func(t *testing.T) {
		var lists map[string]map[string]string
		source, err := os.ReadFile("../locales/testdata/banned.yaml")
		if err == nil {
			err = yaml.Unmarshal(source, &lists)
		}
		if err != nil || len(lists["en"]) == 0 {
			t.Fatalf("%d banned words, %v", len(lists["en"]), err)
		}
		for path, text := range sentences(t, f.call("GET", "/api/openapi.json", "").body) {
			for pattern, instead := range lists["en"] {
				if found := regexp.MustCompile(pattern).FindString(text); found != "" {
					t.Errorf("%s has %q, write: %s\n\t%s", path, found, instead, text)
				}
			}
		}
	})
	t.Run("describes every call, parameter and field", func(t *testing.T) {
		eachOperation(doc, func(name string, op *openapi3.Operation) {
			if op.Summary == "" || op.Description == "" || op.OperationID == "" || len(op.Tags) != 1 || op.Security == nil ||
				len(*op.Security) == 0 {
				t.Errorf("%s lacks a summary, a description, an id, a tag or who may call it", name)
			}
			for _, p := range op.Parameters {
				if p.Value.Description == "" {
					t.Errorf("%s: parameter %s has no description", name, p.Value.Name)
				}
			}
			for status, r := range op.Responses.Map() {
				if media := r.Value.Content.Get("application/json"); media == nil || media.Schema == nil ||
					len(media.Examples) == 0 || *r.Value.Description == "" {
					t.Errorf("%s: %s has no schema, example or description", name, status)
				}
				if r.Value.Headers["X-Request-ID"] == nil {
					t.Errorf("%s: %s without X-Request-ID", name, status)
				}
			}
		})
		for name, schema := range doc.Components.Schemas {
			for field, s := range schema.Value.Properties {
				if s.Ref == "" && s.Value.Description == "" {
					t.Errorf("%s.%s has no description", name, field)
				}
			}
		}
	})
	t.Run("lists every error code", func(t *testing.T) {
		var codes []any
		for _, a := range answers {
			codes = append(codes, string(a.name))
		}
		for _, exact := range exactNames {
			codes = append(codes, string(exact.name))
		}
		documented := doc.Components.Schemas["ApiError"].Value.Properties["code"].Value.Enum
		byText := func(a, b any) int { return strings.Compare(a.(string), b.(string)) }
		slices.SortFunc(codes, byText)
		codes = slices.Compact(codes)
		slices.SortFunc(documented, byText)
		if diff := cmp.Diff(codes, documented); diff != "" {
			t.Error(diff)
		}
	})
}

// A request example, the parameter examples of the same name and the response example of that name are one exchange,
// sent by the caller that x-caller names.
func TestEveryExampleHolds(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	doc, callers := readContract(t, f), f.sampleFixture()
	eachOperation(doc, func(name string, op *openapi3.Operation) {
		method, path, _ := strings.Cut(name, " ")
		ran := 0
		for _, status := range slices.Sorted(maps.Keys(op.Responses.Map())) {
			media := op.Responses.Value(status).Value.Content.Get("application/json")
			for _, example := range slices.Sorted(maps.Keys(media.Examples)) {
				caller, runs := media.Examples[example].Value.Extensions["x-caller"].(string)
				if !runs {
					continue
				}
				ran++
				t.Run(name+"/"+example, func(t *testing.T) {
					target, body, header := exampleRequest(t, op, path, example)
					body = strings.ReplaceAll(body, samplePriceID, f.priceID) // Stripe assigns its own ids
					r := f.call(method, target, body, append(header, callers[caller])...)
					if strconv.Itoa(r.status) != status {
						t.Fatalf("%s %s %s: status %d %s, want %s", method, target, body, r.status, r.body, status)
					}
					checkShape(t, media, example, r)
					if status[0] == '2' && caller != anyone {
						r := f.call(method, target, body, header...)
						if r.status != 401 || r.refusal(t).Error.Message != messageOf(op, "401") {
							t.Errorf("without a caller: status %d %s, want 401", r.status, r.body)
						}
					}
				})
			}
		}
		if ran == 0 {
			t.Errorf("%s has no example that runs", name)
		}
	})
}

// sampleFixture creates the examples' rows and returns each caller's header line.
func (f *fixture) sampleFixture() map[string]string {
	f.t.Helper()
	f.sell()
	err := f.db.Exec(
		`INSERT INTO users (id, email, name, locale) OVERRIDING SYSTEM VALUE VALUES (?, ?, 'Ada Example', 'en')`,
		sampleUserID, sampleEmail).Error
	if err != nil {
		f.t.Fatal(err)
	}
	err = f.db.Raw(`SELECT stripe_price_id FROM prices WHERE credits_per_unit = 500`).Scan(&f.priceID).Error
	if err != nil {
		f.t.Fatal(err)
	}
	f.credit(sampleUserID, 10000)
	key, bearer := f.serviceKey("spend")
	for id, status := range map[string]models.HoldStatus{sampleOpen: "open", sampleDone: "open", sampleFailed: "open",
		samplePart:     "open",
		sampleReleased: "released", sampleCaptured: "captured"} {
		f.hold(id, key, status)
	}
	return map[string]string{anyone: "Accept: application/json",
		schemeSession: "Cookie: " + f.signIn(sampleUserID), schemeKey: bearer}
}

// hold stores a hold of the examples' user.
func (f *fixture) hold(id string, key uuid.UUID, status models.HoldStatus) {
	f.t.Helper()
	ctx := context.Background()
	request := spend.Request{Caller: key, UserID: sampleUserID, Feature: "resume_improvement", Key: id,
		Metadata: []byte(`{"resume":4711}`)}
	held, err := f.handler.Spend.Hold(ctx, spend.HoldRequest{Request: request})
	if err == nil {
		err = f.db.Exec(`UPDATE holds SET id = ? WHERE id = ?`, id, held.ID).Error
	}
	if err == nil && status == models.HoldReleased {
		_, err = f.handler.Spend.Release(ctx, key, id)
	}
	if err == nil && status == models.HoldCaptured {
		_, err = f.handler.Spend.Capture(ctx, key, id, nil)
	}
	if err != nil {
		f.t.Fatal(err)
	}
}

// exampleRequest returns the request of an example.
func exampleRequest(t *testing.T, op *openapi3.Operation, path, example string) (target, body string, header []string) {
	t.Helper()
	query := url.Values{}
	for _, p := range op.Parameters {
		e, ok := p.Value.Examples[example]
		if !ok {
			continue
		}
		value := fmt.Sprint(e.Value.Value)
		switch p.Value.In {
		case "path":
			path = strings.ReplaceAll(path, "{"+p.Value.Name+"}", value)
		case "query":
			query.Set(p.Value.Name, value)
		case "header":
			header = append(header, p.Value.Name+": "+value)
		}
	}
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	if op.RequestBody != nil {
		if e := op.RequestBody.Value.Content.Get("application/json").Examples[example]; e != nil {
			text, err := json.Marshal(e.Value.Value)
			if err != nil {
				t.Fatal(err)
			}
			body = string(text)
		}
	}
	return path, body, header
}

// checkShape checks that a response matches the schema and has the example's fields, and that an error equals the
// example.
func checkShape(t *testing.T, media *openapi3.MediaType, example string, r reply) {
	t.Helper()
	var got any
	if err := json.Unmarshal([]byte(r.body), &got); err != nil {
		t.Fatal(err)
	}
	if err := media.Schema.Value.VisitJSON(got, openapi3.EnableJSONSchema2020()); err != nil {
		t.Errorf("the response does not match the documented schema: %v", err)
	}
	want := media.Examples[example].Value.Value
	if r.status >= 400 {
		got, want = got.(object)["error"], want.(object)["error"]
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		return
	}
	g, w := got.(object), want.(object)
	if diff := cmp.Diff(slices.Sorted(maps.Keys(w)), slices.Sorted(maps.Keys(g))); diff != "" {
		t.Error(diff)
	}
}

// messageOf returns the message of a documented refusal.
func messageOf(op *openapi3.Operation, status string) string {
	for _, e := range op.Responses.Value(status).Value.Content.Get("application/json").Examples {
		return e.Value.Value.(object)["error"].(object)["message"].(string)
	}
	return ""
}

// eachOperation visits every operation in order.
func eachOperation(doc *openapi3.T, visit func(name string, op *openapi3.Operation)) {
	for _, path := range slices.Sorted(maps.Keys(doc.Paths.Map())) {
		operations := doc.Paths.Value(path).Operations()
		for _, method := range slices.Sorted(maps.Keys(operations)) {
			visit(method+" "+path, operations[method])
		}
	}
}
