package e2e

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/PuerkitoBio/goquery"

	"github.com/resume-matcher/credits/models/dbtest"
)

// Whatever a user types into a form, the response is a complete page in the reader's language that explains the error
// beside its field and keeps the other values.
func TestForms(t *testing.T) {
	t.Parallel()
	fx := newStateFixture(t, "en", "de")
	texts := map[string]map[string]string{"en": readTexts(t, "en"), "de": readTexts(t, "de")}
	for locale, visitors := range fx.visitors {
		c := &crawler{locale: locale, texts: texts, foreign: foreignWords(texts[locale], texts[otherLocale(locale)])}
		for _, f := range forms {
			t.Run(locale+" "+f.action, func(t *testing.T) {
				v := visitors[f.user]
				v.t, c.visitor = t, v
				for i, field := range f.fields {
					for j, name := range slices.Sorted(maps.Keys(hostileInputs)) {
						// each field tries a quarter of the values
						if dbtest.Full() || (i+j)%4 == map[string]int{"en": 0, "de": 2}[locale] {
							f.try(c, fx, field, name, hostileInputs[name])
						}
					}
				}
			})
		}
	}
	dbtest.CheckLedger(t, fx.db)
}

// try submits the form with a hostile value in one field and valid values in the others.
func (f form) try(c *crawler, fx *stateFixture, field formField, name, value string) {
	v := c.visitor
	v.t.Helper()
	typed := f.validInput(v.locale)
	typed = append(typed, field.name, value) // overrides the valid value
	what := fmt.Sprintf("%s: %s in %s", f.action, name, field.name)
	dbtest.Eventually(v.t, "the limit of a minute allows the form", func() bool {
		if err := fx.db.Exec(`DELETE FROM rate_windows`).Error; err != nil { // as a minute later
			v.t.Fatal(err)
		}
		f.reset(v.t, fx)
		v.open("/" + v.locale + fx.ids.Replace(f.path))
		v.submit(f.button, typed...)
		return v.status != http.StatusTooManyRequests
	})
	if strings.HasPrefix(v.at.Path, "/c/pay/") { // redirected to Stripe's Checkout
		if !slices.Contains(field.valid, name) && !slices.Contains(field.maybeValid, name) {
			v.t.Errorf("%s: accepted, want it refused", what)
		}
		return
	}
	if v.status >= 500 || v.doc.Find("h1").Length() != 1 || v.doc.Find("html").AttrOr("lang", "") != v.locale {
		v.t.Errorf("%s: status %d, %d h1, lang %q, want no server error, one h1 and %q", what, v.status,
			v.doc.Find("h1").Length(), v.doc.Find("html").AttrOr("lang", ""), v.locale)
	}
	c.checkWords(what, v.doc)
	if n := v.doc.Find(".injected, script:not([src])").Length(); n > 0 {
		v.t.Errorf("%s: input became %d elements of the page, want 0", what, n)
	}
	switch valid := slices.Contains(field.valid, name); {
	case valid && v.status >= 400:
		v.t.Errorf("%s: status %d, want it accepted: %s", what, v.status,
			strings.Join(strings.Fields(v.doc.Find(".field-error, .alert").Text()), " "))
	case valid || slices.Contains(field.maybeValid, name):
	case field.hidden && v.status < 400:
		v.t.Errorf("%s: status %d, want it refused", what, v.status)
	case field.hidden:
	case v.status != http.StatusUnprocessableEntity:
		v.t.Errorf("%s: status %d, want 422", what, v.status)
	default:
		f.checkFieldError(v, field, typed, what)
	}
}

// number makes values unique.
var number atomic.Int64

// validInput returns a valid value for every field.
func (f form) validInput(locale string) []string {
	n := fmt.Sprint(number.Add(1))
	var typed []string
	for _, field := range f.fields {
		if field.input != "" {
			typed = append(typed, field.name, strings.NewReplacer("{n}", n, "{locale}", locale).Replace(field.input))
		}
	}
	return typed
}

// visibleInput returns a valid value for every field that the page does not fill in itself.
func (f form) visibleInput(locale string) []string {
	visible := f
	visible.fields = slices.DeleteFunc(slices.Clone(f.fields), func(field formField) bool { return field.hidden })
	return visible.validInput(locale)
}

// checkFieldError requires that a field is marked, has an error text beside it, and that the other fields keep their
// values.
func (f form) checkFieldError(v *visitor, wrong formField, typed []string, what string) {
	v.t.Helper()
	around := v.find(f.button).Closest("form")
	field := around.Find(`[name="` + wrong.name + `"]`).First()
	marked := field.AttrOr("aria-invalid", "") == "true"
	described := field.AttrOr("aria-describedby", "")
	if group := field.Closest("fieldset"); !marked && group.Length() == 1 {
		described, marked = group.AttrOr("aria-describedby", ""), true
	}
	message := ""
	for id := range strings.FieldsSeq(described) {
		message += around.Find("#" + id).FilterFunction(func(_ int, s *goquery.Selection) bool {
			return s.Is(".field-error") || s.Find(".field-error").Length() > 0
		}).Text()
	}
	if !marked || strings.TrimSpace(message) == "" {
		v.t.Errorf("%s: marked = %t, error text = %q, want true and a text", what, marked, message)
	}
	f.checkKept(v, typed, what, wrong.name)
}

// checkKept requires that the page's form has the typed values, except those of some fields.
func (f form) checkKept(v *visitor, typed []string, what string, except ...string) {
	v.t.Helper()
	around := v.find(f.button).Closest("form")
	for i := 0; i < len(typed); i += 2 {
		name, want := typed[i], typed[i+1]
		kept := around.Find(`[name="` + name + `"]`)
		if slices.Contains(except, name) || kept.AttrOr("type", "") == "hidden" {
			continue
		}
		got := kept.AttrOr("value", kept.Text())
		switch {
		case kept.Is("select"):
			got = kept.Find("option[selected]").AttrOr("value", "")
		case kept.Is("[type=radio], [type=checkbox]"):
			got = kept.Filter("[checked]").AttrOr("value", "")
		}
		if got != want {
			v.t.Errorf("%s: field %s = %q, want %q as typed", what, name, got, want)
		}
	}
}
