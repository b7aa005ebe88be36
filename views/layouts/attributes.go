package layouts

import (
	"context"

	"github.com/a-h/templ"
	"github.com/invopop/ctxi18n/i18n"
)

func documentTitle(ctx context.Context, p Page) string {
	if p.Title == "" {
		return i18n.T(ctx, "app.name")
	}
	return i18n.T(ctx, "app.document_title", i18n.M{"page": p.Title})
}

// bodyAttributes gives every htmx request the session's CSRF token.
func bodyAttributes(p Page) templ.Attributes {
	if p.CSRF == "" {
		return nil
	}
	headers, err := requestHeaders(p.CSRF)
	if err != nil { // a string always has a JSON form; without the header htmx forms still carry their hidden field
		return nil
	}
	return templ.Attributes{"hx-headers": headers}
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
