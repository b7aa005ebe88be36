package errorreport

import (
	"regexp"

	"github.com/getsentry/sentry-go"

	"github.com/resume-matcher/credits/services/logging"
)

// Whatever an error quotes may come from a person: PostgreSQL and strconv quote the value that they refuse.
var (
	quoted  = regexp.MustCompile("\"[^\"]*\"|'[^']*'|`[^`]*`|«[^»]*»|„[^“”]*[“”]|“[^”]*”")
	address = regexp.MustCompile(`\b\d{1,3}(?:\.\d{1,3}){3}\b|\[?\b(?:[0-9a-fA-F]{0,4}:){2,7}[0-9a-fA-F]{1,4}\b\]?`)
)

// longest is the most bytes of one text in a report.
const longest = 1 << 10

// clean removes from a text what logs do not show, and values and network addresses besides.
func clean(text string) string {
	text = quoted.ReplaceAllString(logging.Redact(text), `""`)
	text = address.ReplaceAllString(text, "[address]")
	if len(text) > longest {
		text = text[:longest]
	}
	return text
}

// scrub leaves in a report what report has put there, cleaned. The rest would be the library's own idea.
func scrub(e *sentry.Event) *sentry.Event {
	kept := sentry.NewEvent()
	kept.EventID, kept.Timestamp, kept.Level, kept.Platform, kept.Sdk = e.EventID, e.Timestamp, e.Level, e.Platform, e.Sdk
	kept.Release, kept.Environment, kept.ServerName = e.Release, e.Environment, e.ServerName
	for name, value := range e.Tags {
		kept.Tags[name] = clean(value)
	}
	for _, part := range e.Fingerprint {
		kept.Fingerprint = append(kept.Fingerprint, clean(part))
	}
	for _, x := range e.Exception {
		kept.Exception = append(kept.Exception,
			sentry.Exception{Type: clean(x.Type), Value: clean(x.Value), Stacktrace: x.Stacktrace})
	}
	return kept
}
