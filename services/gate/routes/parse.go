package routes

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

// document is a table as it is written.
type document struct {
	Version  int              `yaml:"version"`
	Identity Identity         `yaml:"identity"`
	Passes   map[string]*pass `yaml:"passes"`
	Rules    []terms          `yaml:"rules"`
}

// pass is the terms of a pass.
type pass struct {
	Uses     int           `yaml:"uses"`
	Lifetime time.Duration `yaml:"lifetime"`
	Subject  string        `yaml:"subject"` // field of the request; empty means one pass for everything

	name         string
	opened, used bool // by some rule
}

// terms are what some routes have in common.
type terms struct {
	Is        Kind           `yaml:"is"`
	Routes    []string       `yaml:"routes"` // METHOD|METHOD /path
	Feature   string         `yaml:"feature"`
	BodyMiB   int            `yaml:"body_mib"`   // 0 means 1
	MostItems map[string]int `yaml:"most_items"` // arrays of the request
	Choice    *choice        `yaml:"choice"`
	Daily     int            `yaml:"daily"`
	Missing   []string       `yaml:"daily_if_missing"` // only requests without text in one of these fields count
	Uses      string         `yaml:"uses_pass"`
	Opens     string         `yaml:"opens_pass"`
	Good      []check        `yaml:"good"`
}

// choice is a field of the request that decides whether it is charged. Other values are refused.
type choice struct {
	Field   string   `yaml:"field"`
	Charged []string `yaml:"charged"`
	Free    []string `yaml:"free"`
}

// parameter is a segment that stands for any id.
var parameter = regexp.MustCompile(`/\{[a-z_]+\}`)

// maxTable bounds a table, in bytes.
const maxTable = 256 << 10

// Parse reads a table whose rules may charge for these features.
// Errors: the line, the rule and what is wrong with it.
func Parse(text []byte, features []string) (*Table, error) {
	doc, lines, err := decodeTable(text)
	if err != nil {
		return nil, err
	}
	table := &Table{Identity: doc.Identity, exact: map[shape][]*Rule{}, prefixes: map[string][]*Rule{}}
	for i := range doc.Rules {
		if err := table.add(&doc.Rules[i], doc.Passes, features); err != nil {
			return nil, fmt.Errorf("route table, line %d, rule %d: %w", lines[i], i+1, err)
		}
	}
	for _, p := range doc.Passes {
		if !p.opened || !p.used {
			return nil, fmt.Errorf("route table: pass %q needs a rule that opens it and one that uses it", p.name)
		}
	}
	return table, nil
}

// decodeTable reads the YAML and the line on which each rule begins.
func decodeTable(text []byte) (*document, []int, error) {
	if len(text) > maxTable {
		return nil, nil, fmt.Errorf("route table: has %d bytes, at most %d are read", len(text), maxTable)
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	doc := document{Identity: DefaultIdentity}
	if err := decoder.Decode(&doc); err != nil {
		return nil, nil, fmt.Errorf("route table: %w", err)
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, nil, errors.New("route table: has more than one document")
	}
	if doc.Version != 1 {
		return nil, nil, fmt.Errorf("route table: version %d is unknown, this server reads version 1", doc.Version)
	}
	if err := doc.Identity.check(); err != nil {
		return nil, nil, fmt.Errorf("route table: identity: %w", err)
	}
	if len(doc.Rules) == 0 {
		return nil, nil, errors.New("route table: has no rules")
	}
	for name, p := range doc.Passes {
		if err := p.check(name); err != nil {
			return nil, nil, fmt.Errorf("route table: pass %q: %w", name, err)
		}
	}
	lines, err := ruleLines(text)
	if err == nil && len(lines) != len(doc.Rules) { // the decoder skips null
		err = errors.New("route table: has an empty rule")
	}
	return &doc, lines, err
}

// ruleLines returns the line on which each rule begins.
func ruleLines(text []byte) ([]int, error) {
	var nodes struct {
		Rules []yaml.Node `yaml:"rules"`
	}
	if err := yaml.Unmarshal(text, &nodes); err != nil {
		return nil, fmt.Errorf("route table: %w", err)
	}
	lines := make([]int, len(nodes.Rules))
	for i := range nodes.Rules {
		lines[i] = nodes.Rules[i].Line
	}
	return lines, nil
}

// add makes the rules of some terms.
func (t *Table) add(terms *terms, passes map[string]*pass, features []string) error {
	if err := terms.check(features, passes); err != nil {
		return err
	}
	uses, opens := passes[terms.Uses], passes[terms.Opens]
	if uses != nil {
		uses.used = true
	}
	if opens != nil {
		opens.opened = true
	}
	for _, route := range terms.Routes {
		methods, template, _ := strings.Cut(route, " ")
		for method := range strings.SplitSeq(methods, "|") {
			rule := &Rule{Method: method, Template: template, Kind: terms.Is, Feature: terms.Feature,
				BodyLimit: max(terms.BodyMiB, 1) << 20, terms: terms, uses: uses, opens: opens}
			if err := rule.checkRoute(); err != nil {
				return fmt.Errorf("%s: %w", route, err)
			}
			if err := t.insert(rule); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkRoute takes the template apart and checks that it may have such a rule.
func (r *Rule) checkRoute() error {
	if !slices.Contains([]string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"}, r.Method) {
		return fmt.Errorf("%q is not a method", r.Method)
	}
	prefix, whole := strings.CutSuffix(r.Template, "/**")
	if err := checkTemplate(r.Template, prefix, whole); err != nil {
		return err
	}
	reads := slices.Contains([]string{"GET", "HEAD"}, r.Method)
	if reads {
		r.BodyLimit = 0
	}
	costs := r.Kind == Charged || r.Kind == NeedsPass || r.terms.Daily > 0
	switch inAPI := Path(prefix).InAPI(); {
	case len(r.Name()) > maxName:
		return fmt.Errorf("method and path may have at most %d bytes", maxName)
	case inAPI && whole && r.Kind != Operator && r.Kind != Closed:
		return errors.New("only operator and closed rules may cover everything below a path of /api")
	case !inAPI && (!whole || !reads):
		return errors.New("a rule for pages has GET and HEAD and ends with /**")
	case costs && reads:
		return errors.New("a link could trigger it: only POST, PUT, PATCH and DELETE may cost something")
	}
	if whole {
		r.prefix = prefix
	} else {
		r.segments = strings.Split(r.Template[1:], "/")
	}
	return nil
}

// checkTemplate accepts literal segments in their canonical spelling and parameters such as {id}. Before ** all are
// literal.
func checkTemplate(template, prefix string, whole bool) error {
	if whole && prefix == "" {
		return nil
	}
	literal := parameter.ReplaceAllString(prefix, "/id")
	if path, _, err := Canonical(literal); err != nil || string(path) != literal || whole && literal != prefix {
		return fmt.Errorf("%q is not a path in its canonical spelling, with parameters such as {id} or /** at its end", template)
	}
	return nil
}

// compare returns an error when two templates of one shape match a path that neither of them fits better.
func compare(rule, other *Rule) error {
	more, less := false, false
	for i, a := range rule.segments {
		b := other.segments[i]
		switch {
		case !isParameter(a) && !isParameter(b) && a != b:
			return nil
		case isParameter(a) && !isParameter(b):
			less = true
		case !isParameter(a) && isParameter(b):
			more = true
		}
	}
	switch {
	case more && less:
		return fmt.Errorf("%s is ambiguous: %s matches some of the same paths", rule.Name(), other.Template)
	case !more && !less:
		return doubleError(rule)
	}
	return nil
}

func doubleError(rule *Rule) error { return fmt.Errorf("%s has two rules", rule.Name()) }
