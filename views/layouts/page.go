// Package layouts holds the document that every page is wrapped in.
package layouts

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/resume-matcher/credits/models"
)

// Page is what every document needs beside its content.
type Page struct {
	Title     string // of the document, in the page's language
	Origin    string // under which the public reaches us, for the addresses that search engines are told
	Locale    string
	Path      string // after /{locale}, beginning with "/"; empty on the start page
	Query     string // as in the address, without "?"; kept when the language changes
	User      *models.User
	Available models.Credits
	Admin     bool
	CSRF      string
	Sandbox   bool
	Dashboard string // where the sandbox shows its payments and gives money back
	Legal     Legal
	Flash     *Flash
	Elsewhere *Elsewhere // told once, in the whole document
	RequestID string

	// Partial sends what htmx swaps into #content instead of the whole document: the title, the flash region, the
	// content, and the balance out of band.
	Partial bool
	Silent  bool // a partial of less than the content, which leaves the messages as they are
}

// Elsewhere is a sign-in to the user's account on another device.
type Elsewhere struct {
	At     time.Time
	Device string // as "Firefox, Linux"; empty when it is not known
}

// Legal is where the operator says what the law wants said. An empty address leaves its link out.
type Legal struct{ Imprint, Terms, Privacy string }

// Flash is one message about what has just happened.
type Flash struct {
	Kind FlashKind
	Text string
}

// FlashKind says whether a flash is good news.
type FlashKind string

// The kinds.
const (
	FlashDone  FlashKind = "success"
	FlashFault FlashKind = "danger"
)

// signedInAs is what tells a user's accounts apart: the name, and the address where there is one.
func signedInAs(p Page) string {
	who := p.User.Name
	switch {
	case who == "":
		who = p.User.Email
	case p.User.Email != "":
		who += " (" + p.User.Email + ")"
	}
	if who == "" {
		who = "#" + strconv.FormatInt(p.User.ID, 10)
	}
	return who
}

// in is the address of this page in another language.
func (p Page) in(locale string) string {
	address := "/" + locale + p.Path
	if p.Query != "" {
		address += "?" + p.Query
	}
	return address
}

// canonical is the page's one public address in a language: what was searched or filtered is left out.
func (p Page) canonical(locale string) string { return p.Origin + "/" + locale + p.Path }

// current is the value of a navigation link's aria-current: page for the page itself, true for what lies below it.
func (p Page) current(path string) string {
	switch {
	case p.Path == path:
		return "page"
	case strings.HasPrefix(p.Path, path+"/"):
		return "true"
	}
	return "false"
}

// htmxConfig keeps htmx within our content policy. Forms with errors (422) are swapped in as they are; every other
// failure goes to the flash region, whoever answers it.
const htmxConfig = `{"includeIndicatorStyles":false,"allowEval":false,"historyCacheSize":0,"responseHandling":[` +
	`{"code":"204","swap":false},{"code":"[23]..","swap":true},{"code":"422","swap":true},` +
	`{"code":"[45]..","swap":true,"error":true,"target":"#flash","swapOverride":"innerHTML"}]}`

// requestHeaders are what htmx adds to each request.
func requestHeaders(csrf string) (string, error) {
	headers, err := json.Marshal(map[string]string{"X-CSRF-Token": csrf})
	return string(headers), err
}
