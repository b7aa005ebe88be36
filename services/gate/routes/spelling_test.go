package routes_test

import (
	"errors"
	"net/url"
	"path"
	"strings"
	"testing"

	"golang.org/x/text/unicode/norm"

	"github.com/resume-matcher/credits/services/gate/routes"
)

// spellings are ways to write /api/v1/enrichment/enhance that some server reads as this route. Ten of 73 reached the
// model at Resume Matcher's backend, thirty through its frontend.
var spellings = []string{
	// the route itself, its query and encoded letters
	"/api/v1/enrichment/enhance", "/api/v1/enrichment/enhance?a=1", "/api/v1/enrichment/enhance?../../x",
	"/%61pi/v1/enrichment/enhance", "/api/v1/enrichment/%65nhance", "/api/v1/enrichment/enhanc%65",
	"/api/%76%31/enrichment/enhance", "/%61%70%69/v1/enrichment/enhance", "/api/v1/%65nrichment/enhance?a=%2f",
	// encoded twice, three times, as code points, beyond the shortest form, in another width
	"/%2561pi/v1/enrichment/enhance", "/api/v1/enrichment/%2565nhance", "/api/v1/enrichment/%252565nhance",
	"/api%252fv1/enrichment/enhance", "/%2e%252e/api/v1/enrichment/enhance", "/api/v1/enrichment/%25%36%35nhance",
	"/\uff41pi/v1/enrichment/enhance", "/api/v1/enrichment/\uff45nhance", "/%ef%bd%81pi/v1/enrichment/enhance",
	"/api/v1/enrichment\uff0fenhance",
	// slashes: repeated, encoded, turned around, at the end
	"//api/v1/enrichment/enhance", "///api/v1/enrichment/enhance", "/api//v1/enrichment/enhance",
	"/api/v1//enrichment/enhance", "/api/v1/enrichment//enhance", "/api/v1/enrichment/enhance/",
	"/api/v1/enrichment/enhance//", "/api%2fv1/enrichment/enhance", "/api/v1/enrichment%2Fenhance",
	"/%2fapi/v1/enrichment/enhance", "/api/v1/enrichment/enhance%2f", "/\\api/v1/enrichment/enhance",
	"/api\\v1\\enrichment\\enhance", "\\api/v1/enrichment/enhance", "/api%5cv1/enrichment/enhance",
	"/api/v1/enrichment%5Cenhance", "/%5capi/v1/enrichment/enhance",
	// dot segments, plain and encoded, from our own paths and from theirs
	"/./api/v1/enrichment/enhance", "/api/./v1/enrichment/enhance", "/api/v1/enrichment/./enhance",
	"/api/v1/enrichment/enhance/.", "/x/../api/v1/enrichment/enhance", "/api/x/../v1/enrichment/enhance",
	"/../api/v1/enrichment/enhance", "/api/v1/enrichment/x/../enhance", "/api/v1/enrichment/enhance/x/..",
	"/%2e/api/v1/enrichment/enhance", "/x/%2e%2e/api/v1/enrichment/enhance", "/x/.%2e/api/v1/enrichment/enhance",
	"/x/%2e./api/v1/enrichment/enhance", "/auth/../api/v1/enrichment/enhance", "/healthz/../api/v1/enrichment/enhance",
	"/de/../api/v1/enrichment/enhance", "/static/../api/v1/enrichment/enhance",
	"/_next/static/../../api/v1/enrichment/enhance",
	"/logo.svg/../api/v1/enrichment/enhance", "/api/credits/../v1/enrichment/enhance",
	"/api/v1/health/../enrichment/enhance", "/x/..;/api/v1/enrichment/enhance", "/x/..%2fapi/v1/enrichment/enhance",
	"/x\\..\\api/v1/enrichment/enhance",
	// another case
	"/API/v1/enrichment/enhance", "/Api/v1/enrichment/enhance", "/aPI/v1/enrichment/enhance",
	"/api/V1/enrichment/enhance", "/api/v1/Enrichment/enhance", "/api/v1/enrichment/ENHANCE",
	"/%41PI/v1/enrichment/enhance", "/api/v1/enrichment/%45nhance",
	// parameters, fragments, controls, white space
	"/api;a=1/v1/enrichment/enhance", "/api/v1/enrichment/enhance;a=1", "/api/v1/enrichment/enhance%3ba=1",
	"/api/v1/enrichment/enhance#a", "/api/v1/enrichment/enhance%23a", "/api/v1/enrichment/enhance%3fa=1",
	"/api/v1/enrichment/enh\tance", "/api/v1/enrichment/enh%09ance", "/a\npi/v1/enrichment/enhance",
	"/api/v1/enrichment/enhance%0a", "/api/v1/enrichment/enhance%00", "/api/v1/enrichment/enhance\x00.png",
	"/api/v1/enrichment/enhance%20", "/%20/../api/v1/enrichment/enhance", " /api/v1/enrichment/enhance",
	// other forms of a target
	"http://localhost:8000/api/v1/enrichment/enhance", "HTTP://localhost/api/v1/enrichment/enhance",
	"//localhost:8000/../api/v1/enrichment/enhance", "api/v1/enrichment/enhance",
	"/http:/x/../../api/v1/enrichment/enhance",
}

// tolerantly reads a target as the most tolerant server might: it decodes again and again, folds width and case, treats
// \ as a slash, cuts parameters and controls, and resolves dots and repeated slashes.
func tolerantly(target string) string {
	if scheme, rest, found := strings.Cut(target, "://"); found && !strings.Contains(scheme, "/") {
		_, rest, _ = strings.Cut(rest, "/")
		target = "/" + rest
	}
	target, _, _ = strings.Cut(target, "?")
	for range 8 {
		target = norm.NFKC.String(leniently(target))
	}
	target = strings.ReplaceAll(strings.ToLower(target), "\\", "/")
	var segments []string
	for segment := range strings.SplitSeq(target, "/") {
		segment, _, _ = strings.Cut(segment, ";")
		segments = append(segments, segment)
	}
	target = strings.Join(segments, "/")
	if end := strings.IndexAny(target, "?#\x00"); end >= 0 {
		target = target[:end]
	}
	target = strings.Map(func(r rune) rune {
		if r <= ' ' {
			return -1
		}
		return r
	}, target)
	return path.Clean("/" + target)
}

// leniently decodes each %xx that is complete.
func leniently(text string) string {
	var decoded strings.Builder
	for i := 0; i < len(text); i++ {
		if part := text[i:min(i+3, len(text))]; part[0] == '%' {
			if plain, err := url.PathUnescape(part); err == nil {
				decoded.WriteString(plain)
				i += 2
				continue
			}
		}
		decoded.WriteByte(text[i])
	}
	return decoded.String()
}

// escapes reports how a request avoids a restriction: it is forwarded under one rule, while a tolerant server finds
// the route of another one, which is charged, for admins or closed.
func escapes(table *routes.Table, method, target string) (ours, theirs string) {
	clean, _, err := routes.Canonical(target)
	if err != nil {
		return "", ""
	}
	rule, err := table.Match(method, clean)
	if err != nil {
		return "", ""
	}
	for _, read := range []string{tolerantly(target), tolerantly(string(clean))} {
		other, err := table.Match(method, routes.Path(read))
		unlisted := errors.Is(err, routes.ErrUnlisted) // Resume Matcher has no such route
		harmless := err == nil && (other == rule || other.Kind == routes.Free || other.Kind == routes.Open)
		if !unlisted && !harmless {
			return rule.Name(), read
		}
	}
	return "", ""
}

func TestNoSpellingReachesAnAIRouteUncharged(t *testing.T) {
	t.Parallel()
	if len(spellings) < 73 {
		t.Errorf("%d spellings, want at least the 73 that were tried on Resume Matcher", len(spellings))
	}
	table := parsePreset(t)
	charged := match(t, table, "POST", "/api/v1/enrichment/enhance")
	seen := map[string]bool{}
	for _, target := range spellings {
		if seen[target] {
			t.Errorf("%q stands here twice", target)
		}
		seen[target] = true
		if read := tolerantly(target); read != charged.Template {
			t.Errorf("%q is not a spelling of the route: a tolerant server reads %q", target, read)
		}
		for _, method := range []string{"POST", "GET"} {
			clean, _, err := routes.Canonical(target)
			if err != nil {
				continue
			}
			if rule, err := table.Match(method, clean); err == nil && rule != charged {
				t.Errorf("%s %q falls under %s, want refused or charged", method, target, rule.Name())
			}
		}
	}
}

func FuzzNoTargetEscapesItsRule(f *testing.F) {
	table := parsePreset(f)
	for _, target := range spellings {
		f.Add(target)
		f.Add(strings.ReplaceAll(target, "enrichment/enhance", "config/llm-api-key"))
		f.Add(strings.ReplaceAll(target, "api/v1/enrichment/enhance", "print/resumes/0190"))
	}
	f.Add("/PRINT/resumes/0190")
	f.Add("/settings/../print")
	f.Add("/_next/image?url=/api/v1/status")
	f.Fuzz(func(t *testing.T, target string) {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"} {
			if ours, theirs := escapes(table, method, target); ours != "" {
				t.Errorf("%s %q falls under %q, a tolerant server reads %q", method, target, ours, theirs)
			}
		}
		clean, query, err := routes.Canonical(target)
		if err != nil {
			return
		}
		sent := &url.URL{Path: string(clean), RawPath: string(clean), RawQuery: query}
		if sent.EscapedPath() != string(clean) {
			t.Errorf("%q is forwarded as %q, want %q", target, sent.EscapedPath(), clean)
		}
		if again, _, err := routes.Canonical(string(clean)); err != nil || again != clean {
			t.Errorf("Canonical(%q) = %q, %v, want it unchanged", clean, again, err)
		}
	})
}
