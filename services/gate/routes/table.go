package routes

import (
	_ "embed"
	"errors"
	"slices"
	"strings"

	"github.com/resume-matcher/credits/services/fault"
)

//go:embed preset.yaml
var preset []byte

// Preset returns the table for an unmodified Resume Matcher.
func Preset() []byte { return slices.Clone(preset) }

// ErrUnlisted is the cause of a fault.NotFound for a route that no rule names: a newer Resume Matcher may have it.
var ErrUnlisted = errors.New("no rule for this route")

// Table decides which rule a request falls under. It is immutable.
type Table struct {
	Identity Identity

	rules    []*Rule
	exact    map[shape][]*Rule  // the most specific template first
	prefixes map[string][]*Rule // by method; the longest prefix first
}

// shape is what templates that may match the same path have in common.
type shape struct {
	method   string
	segments int
}

// Rules returns every rule, in the order of the table.
func (t *Table) Rules() []*Rule { return slices.Clone(t.rules) }

// Match returns the rule for a request. A literal segment is preferred to a parameter, any template to one with **, and
// a long prefix to a short one.
// Errors: fault.NotFound for a closed route, and, because of ErrUnlisted, for one without a rule.
func (t *Table) Match(method string, path Path) (*Rule, error) {
	rule := t.find(method, path)
	switch {
	case rule == nil:
		return nil, fault.Wrap(fault.NotFound, ErrUnlisted)
	case rule.Kind == Closed:
		return nil, fault.New(fault.NotFound, nil)
	}
	return rule, nil
}

func (t *Table) find(method string, path Path) *Rule {
	for _, rule := range t.exact[shape{method, strings.Count(string(path), "/")}] {
		if rule.matches(path) {
			return rule
		}
	}
	for _, rule := range t.prefixes[method] {
		if rule.covers(path) {
			return rule
		}
	}
	return nil
}

// matches reports whether the path, which has as many segments as the template, fits it.
func (r *Rule) matches(path Path) bool {
	rest := string(path[1:])
	for _, segment := range r.segments {
		part, after, _ := strings.Cut(rest, "/")
		if isParameter(segment) && !isID(part) || !isParameter(segment) && part != segment {
			return false
		}
		rest = after
	}
	return true
}

// covers reports whether the path is the prefix or below it. Rules that restrict a route do so in any case, because
// Next.js rewrites some paths without regard to case.
func (r *Rule) covers(path Path) bool {
	if len(path) < len(r.prefix) || path.InAPI() != Path(r.prefix).InAPI() {
		return false
	}
	head, rest := string(path[:len(r.prefix)]), path[len(r.prefix):]
	restricts := r.Kind == Closed || r.Kind == Operator
	return (head == r.prefix || restricts && strings.EqualFold(head, r.prefix)) && (rest == "" || rest[0] == '/')
}

func isParameter(segment string) bool { return segment[0] == '{' }

// maxID is the longest id in a path, in bytes.
const maxID = 128

// isID reports whether a segment fits a parameter.
func isID(segment string) bool {
	for i := range len(segment) {
		if !idByte(segment[i]) {
			return false
		}
	}
	return segment != "" && len(segment) <= maxID
}

// insert adds a rule.
// Errors: another rule has the same template, or matches a path that neither template fits better.
func (t *Table) insert(rule *Rule) error {
	t.rules = append(t.rules, rule)
	if rule.segments == nil {
		return t.insertPrefix(rule)
	}
	at := shape{rule.Method, len(rule.segments)}
	for _, other := range t.exact[at] {
		if clash := compare(rule, other); clash != nil {
			return clash
		}
	}
	t.exact[at] = append(t.exact[at], rule)
	slices.SortStableFunc(t.exact[at], func(a, b *Rule) int { return b.literals() - a.literals() })
	return nil
}

func (t *Table) insertPrefix(rule *Rule) error {
	for _, other := range t.prefixes[rule.Method] {
		if strings.EqualFold(other.prefix, rule.prefix) {
			return doubleError(rule)
		}
	}
	t.prefixes[rule.Method] = append(t.prefixes[rule.Method], rule)
	slices.SortStableFunc(t.prefixes[rule.Method], func(a, b *Rule) int { return len(b.prefix) - len(a.prefix) })
	return nil
}

// literals counts the segments that are not parameters. Of two templates that match the same path, the one with more
// literals is the more specific.
func (r *Rule) literals() int {
	count := 0
	for _, segment := range r.segments {
		if !isParameter(segment) {
			count++
		}
	}
	return count
}
