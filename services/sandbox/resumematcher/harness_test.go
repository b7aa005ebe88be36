package resumematcher_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"strings"
	"testing"

	"github.com/resume-matcher/credits/services/sandbox/resumematcher"
)

const (
	secret = "not-a-secret"
	anna   = "annaannaannaannaannaanna"
	bert   = "bertbertbertbertbertbert"
)

// fixture is a stand-in that listens, and a client of it.
type fixture struct {
	*resumematcher.App
	url string
}

// start starts a stand-in. An empty secret leaves the add-on out.
func start(t *testing.T, secret string) fixture {
	t.Helper()
	app, err := resumematcher.New(resumematcher.Options{Secret: secret, Shared: secret == ""})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(app)
	t.Cleanup(server.Close)
	t.Cleanup(app.Release)
	return fixture{app, server.URL}
}

// got is an answer.
type got struct {
	*http.Response
	text string
	body map[string]any // when it is a JSON object
}

// at returns a value of the answer's body by its path, such as "data.diff_summary.total_changes" or "detail.0.type".
func (g got) at(path string) any {
	var value any = g.body
	for name := range strings.SplitSeq(path, ".") {
		switch of := value.(type) {
		case map[string]any:
			value = of[name]
		case []any:
			var i int
			if _, err := fmt.Sscan(name, &i); err != nil || i >= len(of) {
				return nil
			}
			value = of[i]
		}
	}
	return value
}

func (g got) id(t *testing.T, path string) string {
	t.Helper()
	id, ok := g.at(path).(string)
	if !ok {
		t.Fatalf("%s %s: status %d, no %s in %s", g.Request.Method, g.Request.URL.Path, g.StatusCode, path, g.text)
	}
	return id
}

// send sends a request as a user. A body that is no *http.Request body type is sent as JSON.
func (f fixture) send(t *testing.T, user, route string, body any) got {
	t.Helper()
	g, err := f.try(t, user, route, body)
	if err != nil {
		t.Fatalf("%s: %v", route, err)
	}
	return g
}

// try is send for answers that may break.
func (f fixture) try(t *testing.T, user, route string, body any) (got, error) {
	t.Helper()
	method, path, _ := strings.Cut(route, " ")
	if !strings.HasPrefix(path, "/_") && !strings.HasPrefix(path, "/print") {
		path = "/api/v1" + path
	}
	kind := "application/json"
	var reader io.Reader
	switch body := body.(type) {
	case nil:
	case upload:
		kind, reader = body.encode(t)
	case string:
		reader = strings.NewReader(body)
	default:
		data, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		reader = bytes.NewReader(data)
	}
	request, err := http.NewRequestWithContext(t.Context(), method, f.url+path, reader)
	if err != nil {
		t.Fatal(err)
	}
	if user != "" {
		request.Header.Set("X-Credits-User", user)
		request.Header.Set("X-Credits-Secret", secret)
	}
	if reader != nil {
		request.Header.Set("Content-Type", kind)
	}
	return do(request)
}

var client = &http.Client{
	Transport:     &http.Transport{DisableKeepAlives: true},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

func do(request *http.Request) (got, error) {
	response, err := client.Do(request)
	if err != nil {
		return got{}, err
	}
	defer func() { _ = response.Body.Close() }()
	data, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	g := got{Response: response, text: string(data)}
	if strings.HasPrefix(response.Header.Get("Content-Type"), "application/json") && err == nil {
		err = json.Unmarshal(data, &g.body)
	}
	return g, err
}

// upload is a multipart body with one file.
type upload struct{ name, kind, content string }

func (u upload) encode(t *testing.T) (string, io.Reader) {
	t.Helper()
	var buffer bytes.Buffer
	form := multipart.NewWriter(&buffer)
	header := textproto.MIMEHeader{}
	header.Set("Content-Disposition", `form-data; name="file"; filename="`+u.name+`"`)
	header.Set("Content-Type", u.kind)
	part, err := form.CreatePart(header)
	if err == nil {
		_, err = io.WriteString(part, u.content)
	}
	if err = firstError(err, form.Close()); err != nil {
		t.Fatal(err)
	}
	return form.FormDataContentType(), &buffer
}

func firstError(all ...error) error {
	for _, err := range all {
		if err != nil {
			return err
		}
	}
	return nil
}

var pdf = upload{"resume.pdf", "application/pdf", "%PDF-1.4"}

// ids are what the requests of a journey name.
type ids struct{ master, job, tailored, application string }

// journey uploads a resume and a job, tailors the one to the other, and files an application.
func (f fixture) journey(t *testing.T, user string) ids {
	t.Helper()
	var made ids
	made.master = f.send(t, user, "POST /resumes/upload", pdf).id(t, "resume_id")
	made.job = f.send(t, user, "POST /jobs/upload",
		map[string]any{"job_descriptions": []string{"Backend engineer"}, "resume_id": made.master}).id(t, "job_id.0")
	pair := map[string]any{"resume_id": made.master, "job_id": made.job}
	preview := f.send(t, user, "POST /resumes/improve/preview", pair)
	pair["improved_data"], pair["improvements"] = preview.at("data.resume_preview"), preview.at("data.improvements")
	made.tailored = f.send(t, user, "POST /resumes/improve/confirm", pair).id(t, "data.resume_id")
	made.application = f.send(t, user, "POST /applications", map[string]any{"resume_id": made.tailored,
		"job_description": "Backend engineer"}).id(t, "application_id")
	return made
}
