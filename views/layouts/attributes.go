package layouts

import (
	"context"

	"github.com/a-h/templ"

	"github.com/resume-matcher/credits/locales"
)

func documentTitle(ctx context.Context, p Page) string {
	if p.Title == "" {
		return locales.T(ctx, "app.name")
	}
	return locales.T(ctx, "app.document_title", locales.Args{"page": p.Title})
}

// bodyAttributes gives every htmx request the session's CSRF token, and says what shows that it takes its time.
func bodyAttributes(p Page) templ.Attributes {
	attributes := templ.Attributes{"hx-indicator": "#progress"}
	if p.CSRF == "" {
		return attributes
	}
	if headers, err := requestHeaders(p.CSRF); err == nil { // a string always has a JSON form; without it forms still carry their hidden field
		attributes["hx-headers"] = headers
	}
	return attributes
}

// flashRole announces faults at once; good news waits for a pause, as the region says.
func flashRole(kind FlashKind) templ.Attributes {
	if kind == FlashFault {
		return templ.Attributes{"role": "alert"}
	}
	return nil
}

func isCurrent(p Page, locale string) string {
	if p.Locale == locale {
		return "true"
	}
	return "false"
}

// stays keeps the element that is there, and changes what is in it.
func stays(p Page) templ.Attributes {
	if !p.Partial {
		return nil
	}
	return templ.Attributes{"hx-swap-oob": "innerHTML"}
}
