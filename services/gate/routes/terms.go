package routes

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"
)

// Bounds on the numbers of a table.
const (
	maxName     = 200 // bytes of method and path, as holds store them
	maxBodyMiB  = 16
	maxItems    = 1000
	maxDaily    = 10_000
	maxUses     = 1000
	minLifetime = time.Minute
	maxLifetime = 30 * 24 * time.Hour
)

var (
	fieldForm  = regexp.MustCompile(`^\w+(\.\w+)*$`)
	answerForm = regexp.MustCompile(`^\w+(\[\])?(\.\w+(\[\])?)*$`) // [] stands for some element
)

// check names the pass and checks its terms.
func (p *pass) check(name string) error {
	switch {
	case p == nil:
		return errors.New("has no terms")
	case p.Uses < 1 || p.Uses > maxUses:
		return fmt.Errorf("uses is %d, must be 1 to %d", p.Uses, maxUses)
	case p.Lifetime < minLifetime || p.Lifetime > maxLifetime:
		return fmt.Errorf("lifetime is %s, must be %s to %s", p.Lifetime, minLifetime, maxLifetime)
	case p.Subject != "" && !fieldForm.MatchString(p.Subject):
		return fmt.Errorf("subject %q is not a field", p.Subject)
	}
	p.name = name
	return nil
}

// check refuses terms that contradict themselves.
func (t *terms) check(features []string, passes map[string]*pass) error {
	if !slices.Contains(kinds(), t.Is) {
		return fmt.Errorf("is %q, must be one of %v", t.Is, kinds())
	}
	if len(t.Routes) == 0 {
		return errors.New("has no routes")
	}
	for _, step := range []func() error{
		func() error { return t.checkPrice(features) },
		func() error { return t.checkPasses(passes) },
		t.checkBounds, t.checkDaily, t.checkChoice, t.checkGood,
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (t *terms) checkPrice(features []string) error {
	if t.Is != Charged {
		if t.Feature != "" || t.Choice != nil || t.Good != nil || t.Opens != "" {
			return errors.New("only charged rules have a feature, a choice or a good answer, or open a pass")
		}
		return nil
	}
	if !slices.Contains(features, t.Feature) {
		return fmt.Errorf("feature %q is unknown, known are %v", t.Feature, features)
	}
	if len(t.Good) == 0 {
		return errors.New("a charged rule says what a good answer is")
	}
	return nil
}

func (t *terms) checkPasses(passes map[string]*pass) error {
	for _, name := range []string{t.Uses, t.Opens} {
		if name != "" && passes[name] == nil {
			return fmt.Errorf("pass %q is unknown", name)
		}
	}
	if t.Uses == "" && t.Is == NeedsPass || t.Uses != "" && t.Is != NeedsPass && t.Is != Charged {
		return errors.New("rules of kind pass use a pass, charged ones may, others do not")
	}
	return nil
}

func (t *terms) checkBounds() error {
	if t.BodyMiB < 0 || t.BodyMiB > maxBodyMiB {
		return fmt.Errorf("body_mib is %d, must be 1 to %d", t.BodyMiB, maxBodyMiB)
	}
	for field, most := range t.MostItems {
		if !fieldForm.MatchString(field) || most < 1 || most > maxItems {
			return fmt.Errorf("most_items: %q with %d, must be a field with 1 to %d", field, most, maxItems)
		}
	}
	return nil
}

func (t *terms) checkDaily() error {
	if t.Daily < 0 || t.Daily > maxDaily {
		return fmt.Errorf("daily is %d, must be 1 to %d", t.Daily, maxDaily)
	}
	if t.Daily > 0 && t.Is != Free || t.Daily == 0 && t.Missing != nil {
		return errors.New("only free rules have daily, and only with it daily_if_missing")
	}
	for _, field := range t.Missing {
		if !fieldForm.MatchString(field) {
			return fmt.Errorf("daily_if_missing: %q is not a field", field)
		}
	}
	return nil
}

func (t *terms) checkChoice() error {
	if t.Choice == nil {
		return nil
	}
	if !fieldForm.MatchString(t.Choice.Field) || len(t.Choice.Charged) == 0 || len(t.Choice.Free) == 0 {
		return errors.New("choice needs a field, values that are charged and values that are free")
	}
	for _, value := range t.Choice.Charged {
		if slices.Contains(t.Choice.Free, value) {
			return fmt.Errorf("choice: %q is both charged and free", value)
		}
	}
	return nil
}

func (t *terms) checkGood() error {
	for i := range t.Good {
		c := &t.Good[i]
		tests := 0
		for _, set := range []bool{c.Present, c.NotEmpty, c.Equals != nil, c.MoreThan != nil} {
			if set {
				tests++
			}
		}
		if tests != 1 || len(c.Fields) == 0 {
			return fmt.Errorf("good, line %d: needs fields and one of present, not_empty, equals, more_than", i+1)
		}
		for _, field := range c.Fields {
			if !answerForm.MatchString(field) {
				return fmt.Errorf("good, line %d: %q is not a field", i+1, field)
			}
		}
	}
	return nil
}
