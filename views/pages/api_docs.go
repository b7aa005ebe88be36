package pages

import "strings"

// APIDocs is the API reference. Its texts are English, like the OpenAPI document.
type APIDocs struct {
	Version      string
	Introduction []string // paragraphs
	DocumentURL  string   // of the OpenAPI document
	Groups       []APIGroup
	ErrorFields  []APIField
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
type APIExample struct{ Summary, Curl, Status, Answer string }

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
