package stripe_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"
)

// page is a response of the hosted pages.
type page struct {
	*http.Response
	doc *goquery.Document
}

func (s *fixture) get(t *testing.T, path string) page {
	t.Helper()
	return s.do(t, http.MethodGet, path, nil, nil)
}

func (s *fixture) post(t *testing.T, path string, form url.Values) page {
	t.Helper()
	return s.do(t, http.MethodPost, path, form, nil)
}

func (s *fixture) do(t *testing.T, method, path string, form url.Values, header map[string]string) page {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, s.URL()+strings.TrimPrefix(path, s.URL()),
		strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatalf("make request: %v", err)
	}
	if form != nil {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for name, value := range header {
		request.Header.Set(name, value)
	}
	if host := header["Host"]; host != "" {
		request.Host = host
	}
	response, err := s.browser.Do(request)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	defer func() {
		if err := response.Body.Close(); err != nil {
			t.Errorf("close body: %v", err)
		}
	}()
	doc, err := goquery.NewDocumentFromReader(response.Body)
	if err != nil {
		t.Fatalf("parse %s: %v", path, err)
	}
	return page{response, doc}
}

// text returns the text of the first match, with white space collapsed.
func (p page) text(selector string) string {
	return strings.Join(strings.Fields(p.doc.Find(selector).First().Text()), " ")
}

// texts returns the texts of all matches.
func (p page) texts(selector string) string {
	var all []string
	p.doc.Find(selector).Each(func(_ int, one *goquery.Selection) {
		all = append(all, strings.Join(strings.Fields(one.Text()), " "))
	})
	return strings.Join(all, " | ")
}

// fields returns the values of a form as a browser would send them.
func (p page) fields(selector string) url.Values {
	values := url.Values{}
	p.doc.Find(selector + " input").Each(func(_ int, input *goquery.Selection) {
		values.Set(input.AttrOr("name", ""), input.AttrOr("value", ""))
	})
	return values
}
