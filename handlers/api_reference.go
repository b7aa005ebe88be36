package handlers

import (
	"path"
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

// receiver is a program that verifies webhooks; the tests run it.
const receiver = "examples/python/webhook.py"

// addExamples adds the quick start with this installation's address, the clients, and the receiver of webhooks.
func (h *Handler) addExamples(docs *pages.APIDocs) {
	for _, q := range quickStarts {
		file := exampleFile(q.language, q.file)
		file.Text = strings.ReplaceAll(file.Text, exampleSite, h.Site.AppURL)
		docs.QuickStarts = append(docs.QuickStarts, file)
	}
	for _, c := range clients {
		docs.Clients = append(docs.Clients, exampleFile(c.language, c.file))
	}
	docs.Receiver = exampleFile("Python", receiver)
}

func exampleFile(language, name string) pages.APIFile {
	return pages.APIFile{Language: language, URL: static.Path(name), Name: path.Base(name),
		Text: strings.TrimSpace(static.Text(name))}
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
