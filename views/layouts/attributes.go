package layouts

import (
	"context"
	"strings"

	"github.com/a-h/templ"

	"github.com/resume-matcher/credits/locales"
)

func documentTitle(ctx context.Context, p Page) string {
	if p.Title == "" {
		return locales.T(ctx, "app.name")
	}
	title := strings.ReplaceAll(p.Title, "\u00ad", "") // headings have soft hyphens
	return locales.T(ctx, "app.document_title", locales.Args{"page": title})
}

// bodyAttributes adds the CSRF token to every htmx request and names the progress indicator.
func bodyAttributes(p Page) templ.Attributes {
	attributes := templ.Attributes{"hx-indicator": "#progress"}
	if p.CSRF == "" {
		return attributes
	}
	if headers, err := requestHeaders(p.CSRF); err == nil { // encoding a string never fails
		attributes["hx-headers"] = headers
	}
	return attributes
}

// flashRole announces faults at once. Other messages wait for a pause, as the region's role says.
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

// swapInner makes a partial replace the content of the existing element.
func swapInner(p Page) templ.Attributes {
	if !p.Partial {
		return nil
	}
	return templ.Attributes{"hx-swap-oob": "innerHTML"}
}
