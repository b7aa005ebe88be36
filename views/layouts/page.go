// Package layouts holds the document around every page.
package layouts

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/resume-matcher/credits/models"
)

// Page is what every document needs besides its content.
type Page struct {
	Title     string // of the document, in the page's language
	Origin    string // public origin, for canonical addresses
	Locale    string
	Path      string // after /{locale}, beginning with "/"; empty on the start page
	Query     string // without "?"; kept when the language changes
	User      *models.User
	Available models.Credits
	Staff     bool // the user may enter the admin area
	CSRF      string
	Sandbox   bool
	Mailbox   string // URL of the sandbox's inbox; empty outside the sandbox
	Dashboard string // URL of the sandbox's payments; empty outside the sandbox
	Control   string // URL of the page on which a tester breaks Resume Matcher's stand-in; empty without the stand-in
	Legal     Legal
	Flash     *Flash
	Elsewhere *Elsewhere // shown once, in full documents only
	RequestID string
	Now       time.Time // printed on paper

	// Partial renders what htmx swaps into #content: the title, the flash region, the content, and the balance out of
	// band.
	Partial bool
	Silent  bool // a partial of less than #content, which keeps the messages
}

// Elsewhere is a sign-in to the user's account on another device.
type Elsewhere struct {
	At     time.Time
	Device string // like "Firefox, Linux"; empty when unknown
}

// Legal holds the URLs of the legally required pages. An empty URL leaves its link out.
type Legal struct{ Imprint, Terms, Privacy, Withdrawal, Accessibility string }

// Flash is one message about a finished action.
type Flash struct {
	Kind FlashKind
	Text string
}

// FlashKind says whether the action succeeded.
type FlashKind string

// The kinds. A notice reports no result.
const (
	FlashDone   FlashKind = "success"
	FlashNotice FlashKind = "notice"
	FlashFault  FlashKind = "danger"
)

// signedInAs identifies the signed-in account: the name, plus the address if there is one.
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

// in returns the address of this page in another language.
func (p Page) in(locale string) string {
	address := "/" + locale + p.Path
	if p.Query != "" {
		address += "?" + p.Query
	}
	return address
}

// canonical returns the page's public address in a language, without its query string.
func (p Page) canonical(locale string) string { return p.Origin + "/" + locale + p.Path }

// current returns the aria-current of a navigation link: page for the page itself, true for pages below it. A past
// purchase belongs to the history.
func (p Page) current(path string) string {
	here := p.Path
	if strings.HasPrefix(here, "/purchase/") {
		here = "/history/"
	}
	switch {
	case here == path:
		return "page"
	case strings.HasPrefix(here, path+"/"):
		return "true"
	}
	return "false"
}

// themeColor is the color of the browser's own bars: the token canvas.
const themeColor = "#F0F0E8"

// htmxConfig keeps htmx within our content policy. Forms with errors (422) are swapped in place; every other failure
// goes to the flash region.
const htmxConfig = `{"includeIndicatorStyles":false,"allowEval":false,"historyCacheSize":0,"responseHandling":[` +
	`{"code":"204","swap":false},{"code":"[23]..","swap":true},{"code":"422","swap":true},` +
	`{"code":"[45]..","swap":true,"error":true,"target":"#flash","swapOverride":"innerHTML"}]}`

// requestHeaders returns the headers that htmx adds to each request.
func requestHeaders(csrf string) (string, error) {
	headers, err := json.Marshal(map[string]string{"X-CSRF-Token": csrf})
	return string(headers), err
}
