package pages

import (
	"strconv"
	"strings"
)

// APIDocs is the API reference. Its texts are English, like the OpenAPI document.
type APIDocs struct {
	Version      string
	Introduction []string // paragraphs
	DocumentURL  string   // of the OpenAPI document
	Groups       []APIGroup
	ErrorFields  []APIField
	Errors       []APIError
	QuickStarts  []APIFile // the same calls in each language
	Clients      []APIFile // to copy
	Receiver     APIFile   // of webhooks
}

// APIError is a code of the API, what it means and what to do about it.
type APIError struct {
	Code          string
	Statuses      []int
	Meaning, Cure string
}

// APIFile is an example file.
type APIFile struct {
	Language, Name, URL string
	Text                string // may be empty
}

// APIGroup is a group of calls.
type APIGroup struct {
	Name        string
	Description string
	Calls       []APICall
}

// APICall is one call.
type APICall struct {
	ID, Method, Path, Summary, Description string
	ForKeys, ForSessions                   bool
	Parameters                             []APIField
	Body                                   []APIField
	Result                                 []APIField
	Answers                                []APIAnswer
	Examples                               []APIExample // the first is visible, the others are folded
}

// APIField is a parameter, or a field of a body.
type APIField struct {
	Name, Kind, Description string
	Place                   string // path, query or header; empty in a body
	Required                bool
}

// APIAnswer is one possible status of a call.
type APIAnswer struct{ Status, Meaning string }

// APIExample is one exchange.
type APIExample struct{ ID, Summary, Curl, Status, Answer string }

// span is a piece of text.
type span struct {
	text         string
	code, strong bool
}

// spans splits a text at its `code` and **strong** words.
func spans(text string) []span {
	var list []span
	for i, part := range strings.Split(text, "`") {
		if i%2 == 1 {
			list = append(list, span{text: part, code: true})
			continue
		}
		for j, piece := range strings.Split(part, "**") {
			if piece != "" {
				list = append(list, span{text: piece, strong: j%2 == 1})
			}
		}
	}
	return list
}

// statusList writes the statuses of an error code.
func statusList(statuses []int) string {
	texts := make([]string, len(statuses))
	for i, status := range statuses {
		texts[i] = strconv.Itoa(status)
	}
	return strings.Join(texts, ", ")
}
