// Package routes decides what a request to Resume Matcher is and what it costs. It has four parts: the one accepted
// spelling of a path, a table of rules, the one accepted reading of a JSON body, and the test whether an answer is
// worth the credits. It uses no database, network or HTTP server.
package routes

import (
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/resume-matcher/credits/services/fault"
)

// Kind says who may call a route and who pays.
type Kind string

// The kinds. A route without a rule is closed too.
const (
	Charged   Kind = "charged"  // holds credits, unless a pass pays for it
	NeedsPass Kind = "pass"     // needs a pass that a charged request opened
	Free      Kind = "free"     // needs a session
	Operator  Kind = "operator" // needs an admin
	Open      Kind = "open"     // needs no session
	Closed    Kind = "closed"   // is never forwarded
)

func kinds() []Kind { return []Kind{Charged, NeedsPass, Free, Operator, Open, Closed} }

// Rule is one method and path template of the table. It is immutable.
type Rule struct {
	Method    string
	Template  string // such as /api/v1/resumes/{id}/pdf; /print/** means /print and everything below
	Kind      Kind   // never Closed in a rule that Match returns
	Feature   string // what a charged route costs
	BodyLimit int    // bytes of a request's body; 0 for GET and HEAD

	terms       *terms
	uses, opens *pass
	segments    []string // of a template without **
	prefix      string   // of a template with **, without it
}

// Name returns method and template. It names the route in the metadata of holds and in logs.
func (r *Rule) Name() string { return r.Method + " " + r.Template }

// Plan is what one request costs.
type Plan struct {
	// Feature is what to hold credits for. Empty: nothing is held, and Opens is nil.
	Feature string
	// Pass pays for the request while it has a use left, instead of a hold. Without one left, the request is refused
	// if it has no Feature.
	Pass *Pass
	// Opens is the pass that becomes valid with the capture of the hold.
	Opens *Pass
	// Daily is how often a user may send such a request in 24 hours; 0 means no bound.
	Daily int
}

// Pass pays for later requests about the same subject.
type Pass struct {
	Name     string
	Subject  string // from the request's body, such as a job's id; store only a hash. Empty: the user has one pass
	Uses     int    // requests that it pays for, after the one that opened it
	Lifetime time.Duration
}

// NeedsBody reports whether Inspect reads the body. If not, the body may stream to Resume Matcher unread.
func (r *Rule) NeedsBody() bool {
	return r.terms.Choice != nil || len(r.terms.Missing) > 0 || len(r.terms.MostItems) > 0 ||
		r.uses != nil && r.uses.Subject != "" || r.opens != nil && r.opens.Subject != ""
}

// Inspect returns what a request costs. It reads the body only if NeedsBody.
// Errors: fault.PayloadTooLarge; fault.Malformed for a body that Resume Matcher could read in another way;
// fault.Invalid for too many items, an unknown choice, or a pass without its subject.
func (r *Rule) Inspect(contentType string, body []byte) (Plan, error) {
	var object map[string]any
	if r.NeedsBody() {
		if len(body) > r.BodyLimit {
			return Plan{}, fault.New(fault.PayloadTooLarge, nil)
		}
		var err error
		if object, err = readObject(contentType, body); err != nil {
			return Plan{}, err
		}
		if err := r.checkItems(object); err != nil {
			return Plan{}, err
		}
	}
	free, err := r.isFree(object)
	if err != nil || free {
		return Plan{}, err
	}
	plan := Plan{Feature: r.Feature}
	if plan.Pass, err = r.uses.of(object); err != nil {
		return Plan{}, err
	}
	if plan.Opens, err = r.opens.of(object); err != nil {
		return Plan{}, err
	}
	if r.counts(object) {
		plan.Daily = r.terms.Daily
	}
	return plan, nil
}

// checkItems refuses arrays that would cost more model calls than the price covers.
func (r *Rule) checkItems(object map[string]any) error {
	for field, most := range r.terms.MostItems {
		unfit := reach(object, field, func(value any) bool {
			items, isArray := value.([]any)
			return !isArray || len(items) > most
		})
		if unfit {
			return &fault.Error{Code: fault.Invalid, Field: field, Problem: fault.TooManyItems,
				Detail: map[string]any{"most": most}}
		}
	}
	return nil
}

// isFree reports whether the request chose an action that costs nothing.
func (r *Rule) isFree(object map[string]any) (bool, error) {
	if r.terms.Choice == nil {
		return false, nil
	}
	chosen := func(values []string) bool {
		return reach(object, r.terms.Choice.Field, func(value any) bool {
			text, isText := value.(string)
			return isText && slices.Contains(values, text)
		})
	}
	if free := chosen(r.terms.Choice.Free); free || chosen(r.terms.Choice.Charged) {
		return free, nil
	}
	return false, fault.Field(r.terms.Choice.Field, fault.ValueUnfit).
		With("expected", strings.Join(slices.Concat(r.terms.Choice.Charged, r.terms.Choice.Free), " | "))
}

// counts reports whether the request counts for the daily bound: always, or when one of the fields has no text.
func (r *Rule) counts(object map[string]any) bool {
	for _, field := range r.terms.Missing {
		if !reach(object, field, func(value any) bool { text, _ := value.(string); return visible(text) }) {
			return true
		}
	}
	return len(r.terms.Missing) == 0
}

// maxSubject bounds the subject of a pass, in bytes.
const maxSubject = 200

// of returns the pass for a request, or nil if p is nil.
// Errors: fault.Invalid when the body does not name the pass's subject.
func (p *pass) of(object map[string]any) (*Pass, error) {
	if p == nil {
		return nil, nil
	}
	made := &Pass{Name: p.name, Uses: p.Uses, Lifetime: p.Lifetime}
	if p.Subject == "" {
		return made, nil
	}
	reach(object, p.Subject, func(value any) bool {
		made.Subject, _ = value.(string)
		return true
	})
	if !visible(made.Subject) || len(made.Subject) > maxSubject {
		return nil, fault.Field(p.Subject, fault.FieldMissing)
	}
	return made, nil
}

// visible reports whether a text has a character that can be seen.
func visible(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool { return unicode.IsGraphic(r) && !unicode.IsSpace(r) })
}
