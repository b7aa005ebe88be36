package handlers

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
)

// The script comes first in the head of a page, wherever the head is cut in two; everything else stays as it is.
func TestScriptIsFirstInTheHead(t *testing.T) {
	t.Parallel()
	long := strings.Repeat(" ", headSearch)
	for page, want := range map[string]string{
		"<!doctype html><html><head><title>x</title>": "<!doctype html><html><head>S<title>x</title>",
		"<html><HEAD lang=de>\n<script>":              "<html><HEAD lang=de>S\n<script>",
		"<html><header>x</header>":                    "<html><header>x</header>",
		"":                                            "",
		long + "<head>":                               long + "<head>",
		"<head>" + long + "<head>":                    "<head>S" + long + "<head>",
		"<html><body>no head, and a page of some length": "<html><body>no head, and a page of some length",
	} {
		for name, reader := range map[string]io.Reader{"at once": strings.NewReader(page),
			"byte by byte": iotest.OneByteReader(strings.NewReader(page)),
			"with its end": iotest.DataErrReader(strings.NewReader(page))} {
			got, err := io.ReadAll(&embeddingBody{ReadCloser: io.NopCloser(reader), script: "S"})
			if err != nil || string(got) != want {
				t.Errorf("%.60q %s: %.80q, error %v; want %.80q", page, name, got, err, want)
			}
		}
	}
	cut := io.MultiReader(strings.NewReader("<html>"), iotest.ErrReader(io.ErrUnexpectedEOF))
	if _, err := io.ReadAll(&embeddingBody{ReadCloser: io.NopCloser(cut)}); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a page that is cut: error = %v, want %v", err, io.ErrUnexpectedEOF)
	}
}

// A page tells its script whose it is, and the script reads the balance, the prices and the way on.
func TestEmbeddedCredits(t *testing.T) {
	t.Parallel()
	f := newGateFixture(t)
	f.sell()
	page := f.call("GET", "/dashboard", "", f.cookie)
	if !strings.Contains(page.body, `<head><script src="/credits/embed.js" data-user="`) || page.header.Get("ETag") != "" {
		t.Errorf("page = %.300s, ETag %q; want the script first and no ETag", page.body, page.header.Get("ETag"))
	}
	script := f.call("GET", embedPath, "")
	if script.status != http.StatusOK || script.header.Get("Cache-Control") != "no-cache" ||
		script.header.Get("ETag") == "" {
		t.Errorf("script: status %d, %v; want 200, no-cache and an ETag", script.status, script.header)
	}
	if r := f.call("GET", embedPath, "", "If-None-Match: "+script.header.Get("ETag")); r.status != http.StatusNotModified {
		t.Errorf("script again: status %d, want 304", r.status)
	}
	read := func(query string) (s embedState) {
		t.Helper()
		r := f.call("GET", "/credits/embed.json"+query, "", f.cookie, "Accept-Language: en")
		if err := json.Unmarshal([]byte(r.body), &s); err != nil || r.status != http.StatusOK {
			t.Fatalf("%s: status %d, %s", query, r.status, r.body)
		}
		return s
	}
	if s := read("?taken=10&feature=resume_analysis"); s.Available != 100 || s.Shortage != nil || len(s.Features) != 3 ||
		s.URL != "/en/billing" || s.Taken != "Resume analysis: −10 · 100\u00a0credits left" {
		t.Errorf("state = %+v, want 100 credits, three features and what was taken", s)
	} else if got := s.Features[0]; got.Text != "Shows what is too vague in your resume. Uploading a resume counts as an analysis, too." {
		t.Errorf("text of the analysis = %q, want what it pays for, the upload included", got.Text)
	}
	if s := read("?taken=0&feature="); s.Taken != "Nothing was charged." || s.Available != 100 {
		t.Errorf("after a failure: state = %+v, want it to say that nothing was charged", s)
	}
	f.handler.Site.ReturnOrigins = []string{"http://localhost"}
	for query, want := range map[string]string{
		"missing=15&returnUrl=http://localhost/tailor":      "/en/purchase?package=100&returnUrl=http%3A%2F%2Flocalhost%2Ftailor",
		"missing=15&returnUrl=//evil.example":               "/en/purchase?package=100",
		"missing=15&required=15&feature=resume_improvement": "/en/purchase?package=100",
		"missing=600": "/en/purchase?package=1200", "missing=2000000000": "/en/purchase?package=1200&quantity=100",
	} {
		if s := read("?" + query); s.Shortage == nil || s.Shortage.URL != want {
			t.Errorf("%s: shortage = %+v, want the way to %s", query, s.Shortage, want)
		}
	}
	const use = "Resume improvement then costs €0.75."
	if s := read("?missing=15&required=15&feature=resume_improvement"); !strings.HasSuffix(s.Shortage.Offer, use) {
		t.Errorf("offer = %q, want it to end with what one use costs: %q", s.Shortage.Offer, use)
	}
	if s := read("?missing=1&required=10&feature=%3Cb%3E"); s.Shortage == nil ||
		s.Shortage.Title != "This feature: 1\u00a0more credit needed" {
		t.Errorf("an unknown feature: shortage = %+v, want a title that does not repeat it", s.Shortage)
	}
	for _, query := range []string{"?missing=x", "?missing=-1", "?missing=99999999999", "?taken=1e3", "?taken=00"} {
		if s := read(query); s.Shortage != nil || s.Taken != "" {
			t.Errorf("%s: state = %+v, want the balance alone", query, s)
		}
	}
	if r := f.call("GET", "/credits/embed.json", ""); r.status != http.StatusSeeOther {
		t.Errorf("signed out: status %d, want the way to sign in", r.status)
	}
}
