package views_test

import "github.com/resume-matcher/credits/views/pages"

func sampleDocs() pages.APIDocs {
	field := pages.APIField{Name: "limit", Kind: "integer, ≥ 1", Place: "query", Description: "How `many` **at most**.",
		Required: true}
	example := pages.APIExample{ID: "spendCredits-program", Summary: "By a program",
		Curl: "curl -d '{\"feature\":\"<b>\"}'", Status: "201 Created", Answer: `{"transactionId": 8}`}
	other := example
	other.ID = "spendCredits-session"
	return pages.APIDocs{Version: "1.0.0", Clients: []pages.APIFile{{Language: "Go", Name: "credits.go", URL: "/x.go"}},
		QuickStarts: []pages.APIFile{{Language: "curl", Name: "quickstart.sh", Text: "curl"}, {Language: "Python",
			Name: "quickstart.py", Text: "import"}},
		Receiver:     pages.APIFile{Language: "Python", Name: "webhook.py", URL: "/x.py"},
		Errors:       []pages.APIError{{Code: "NOT_FOUND", Statuses: []int{404}, Meaning: "Nothing.", Cure: "Look."}},
		Introduction: []string{"**Who.** `Authorization: Bearer`"},
		DocumentURL:  "/api/openapi.json",
		ErrorFields:  []pages.APIField{{Name: "code", Kind: "string"}},
		Groups: []pages.APIGroup{{Name: "Credits", Description: "What a user has.",
			Calls: []pages.APICall{{ID: "spendCredits", Method: "POST", Path: "/api/credits/spend", Summary: "Spend",
				Description: "Once.", ForKeys: true,
				Parameters: []pages.APIField{field}, Answers: []pages.APIAnswer{{Status: "201", Meaning: "Created"}},
				Examples: []pages.APIExample{example, other}}}}}}
}
