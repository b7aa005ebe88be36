package handlers

import (
	"slices"
	"strings"

	"github.com/resume-matcher/credits/static"
	"github.com/resume-matcher/credits/views/pages"
)

// exampleSite stands for this installation's address in the examples.
const exampleSite = "https://credits.example.com"

// quickStarts are the same few calls in each language; the tests run them.
var quickStarts = []struct{ language, file string }{
	{"curl", "examples/curl/quickstart.sh"},
	{"Python", "examples/python/quickstart.py"},
	{"TypeScript", "examples/typescript/quickstart.ts"},
}

// clients are files to copy into a program.
var clients = []struct{ language, file string }{
	{"Python", "examples/python/credits.py"},
	{"TypeScript", "examples/typescript/credits.ts"},
	{"Go", "examples/go/credits.go"},
}

// addExamples adds the quick start with this installation's address, and the clients.
func (h *Handler) addExamples(docs *pages.APIDocs) {
	for _, q := range quickStarts {
		docs.QuickStarts = append(docs.QuickStarts, pages.APIFile{Language: q.language, URL: static.Path(q.file),
			Name: q.file[strings.LastIndex(q.file, "/")+1:],
			Text: strings.TrimSpace(strings.ReplaceAll(static.Text(q.file), exampleSite, h.Site.AppURL))})
	}
	for _, c := range clients {
		docs.Clients = append(docs.Clients, pages.APIFile{Language: c.language, URL: static.Path(c.file),
			Name: c.file[strings.LastIndex(c.file, "/")+1:]})
	}
}

// errorReference lists the codes of the API with their statuses.
func errorReference() []pages.APIError {
	statuses := map[errorName][]int{}
	for _, a := range answers {
		statuses[a.name] = append(statuses[a.name], a.status)
	}
	for _, exact := range exactNames {
		statuses[exact.name] = append(statuses[exact.name], answers[exact.code].status)
	}
	list := make([]pages.APIError, len(apiErrors))
	for i, e := range apiErrors {
		slices.Sort(statuses[e.name])
		list[i] = pages.APIError{Code: string(e.name), Statuses: slices.Compact(statuses[e.name]), Meaning: e.meaning,
			Cure: e.cure}
	}
	return list
}
