package config

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"github.com/caarlos0/env/v11"
)

// Problem is one invalid variable and what it must be. It never quotes a value.
type Problem struct {
	Name, Advice string
	Kind         Kind
	Meant        string // the variable with the name nearest to an unknown one, or the parameter; may be empty
}

// Kind distinguishes the problems of one variable.
type Kind string

// The kinds; a malformed value has none.
const (
	UnknownName      Kind = "unknown"    // no variable has this name
	NotForSandbox    Kind = "sandbox"    // belongs to a real set-up, not to the sandbox
	UnverifiedTLS    Kind = "unverified" // the connection does not verify the server
	ForeignParameter Kind = "parameter"  // a database address has a parameter that would have no effect
)

// Problems are all problems that Load found, by name.
type Problems []Problem

// Error has a line for each problem.
func (p Problems) Error() string {
	var text strings.Builder
	text.WriteString("the configuration is invalid:")
	for _, problem := range p {
		text.WriteString("\n  " + problem.Name + " " + problem.Advice)
	}
	return text.String()
}

// problems collects problems.
type problems struct{ all Problems }

func (p *problems) add(name, advice string) { p.addKind("", name, advice) }

func (p *problems) addKind(kind Kind, name, advice string) {
	p.all = append(p.all, Problem{Name: name, Advice: advice, Kind: kind})
}

// unparsed are the problems of fields that cannot be parsed. Other numbers stay 0, which is out of range.
var unparsed = map[string]Problem{
	"LogLevel":             {Name: "LOG_LEVEL", Advice: "must be debug, info, warn or error"},
	"StripeAutomaticTax":   {Name: "STRIPE_AUTOMATIC_TAX", Advice: yesOrNo},
	"StripeTaxIDs":         {Name: "STRIPE_TAX_IDS", Advice: yesOrNo},
	"SmallBusiness":        {Name: "SMALL_BUSINESS", Advice: yesOrNo},
	"WithdrawalAutoRefund": {Name: "WITHDRAWAL_AUTO_REFUND", Advice: yesOrNo},
	"HoldWithoutConsent":   {Name: "HOLD_WITHOUT_CONSENT", Advice: yesOrNo},
	"GoodwillDays":         {Name: "GOODWILL_DAYS", Advice: goodwillBounds},
	"WebhookPrivate":       {Name: "WEBHOOK_PRIVATE_NETWORKS", Advice: yesOrNo},
	"DatabaseInsecure":     {Name: "DATABASE_INSECURE", Advice: yesOrNo},
	"DatabaseMax":          {Name: "DATABASE_MAX_CONNECTIONS", Advice: connectionBounds},
	"Disabled":             {Name: "OTEL_SDK_DISABLED", Advice: yesOrNo},
	"Shared":               {Name: "RESUME_MATCHER_SHARED", Advice: yesOrNo},
}

const yesOrNo = "must be true or false"

// unreadable adds the parser's errors by name, without the values that they quote.
func (p *problems) unreadable(err error) {
	var all env.AggregateError
	if !errors.As(err, &all) {
		p.add("the environment", "cannot be read")
		return
	}
	for _, e := range all.Errors {
		if parse, ok := errors.AsType[env.ParseError](e); ok {
			if wrong, ok := unparsed[parse.Name]; ok {
				p.add(wrong.Name, wrong.Advice)
			}
			continue
		}
		p.add("the environment", "cannot be read")
	}
}

func (p *problems) err() error {
	if len(p.all) == 0 {
		return nil
	}
	slices.SortFunc(p.all, func(a, b Problem) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Advice, b.Advice))
	})
	return slices.Compact(p.all)
}
