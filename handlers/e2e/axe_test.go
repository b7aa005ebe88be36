package e2e

import (
	"encoding/json"
	"os"
	"sync"

	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/resume-matcher/credits/models/dbtest"
)

// readAxe returns the source of axe-core.
var readAxe = sync.OnceValues(func() (string, error) {
	source, err := os.ReadFile("../../node_modules/axe-core/axe.min.js")
	return string(source), err
})

// elementKinds is a script that groups the page's elements by kind, together with the kind of their parent, for axe to
// find them, and lists the kinds. A kind is the tag name, the attributes (without values that are texts, addresses, ids
// or coordinates) and whether the element has text. The first entry is the page's path without language and ids.
const elementKinds = `(() => {
	const free = /^(id|for|href|src|action|name|value|title|datetime|content|alt|placeholder|lang|hreflang|hx-.*|aria-(label|describedby|labelledby|controls)|d|[xy][12]?|width|height|points|transform)$/;
	const attribute = (a) => a.name + "=" + (free.test(a.name) ? a.value.trim() !== "" : a.value.replace(/\d+/g, "0"));
	const kinds = new Map(), kind = (e) => kinds.get(e) ?? kinds.set(e, [e.tagName, ...[...e.attributes].map(attribute),
		[...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())].join(" ")).get(e);
	window.elementsByKind = Map.groupBy(document.querySelectorAll("body *"), e => kind(e.parentElement) + " > " + kind(e));
	return [location.pathname.replace(/^\/(de|en)(?=\/|$)/, "").replace(/[^\/]*\d[^\/]*/g, "0"), ...elementsByKind.keys()];
})()`

// audited holds the pages, and the element kinds on them, that axe has checked.
var audited struct {
	sync.Mutex
	kinds map[string]bool
}

// newElements records the path and the element kinds of a page and returns those that are new.
func (b *browser) newElements(name string) (path bool, kinds []string) {
	b.t.Helper()
	var found []string
	b.run("list the elements of "+name, chromedp.Evaluate(elementKinds, &found))
	audited.Lock()
	defer audited.Unlock()
	if audited.kinds == nil {
		audited.kinds = map[string]bool{}
	}
	path = !audited.kinds[found[0]]
	for _, f := range found {
		if !audited.kinds[f] {
			audited.kinds[f] = true
			kinds = append(kinds, f)
		}
	}
	return path, kinds
}

// checkAxe requires that axe finds no violation. Below full depth it checks each page once, and of its other states
// only the elements of a new kind.
func (b *browser) checkAxe(name string) {
	b.t.Helper()
	path, kinds := b.newElements(name)
	scope := "document"
	if !path && !dbtest.Full() {
		if len(kinds) == 0 {
			return
		}
		list, err := json.Marshal(kinds)
		if err != nil {
			b.t.Fatal(err)
		}
		// The page may have replaced the new elements since: then the whole page is checked.
		scope = "(list => list.length ? {include: list} : document)(" + string(list) +
			".flatMap(k => elementsByKind.get(k) ?? []).filter(e => e.isConnected))"
	}
	source, err := readAxe()
	if err != nil {
		b.t.Fatalf("read axe-core (make generate installs it): %v", err)
	}
	var found string
	var loaded bool // from an earlier check of the same page
	b.run("look for axe", chromedp.Evaluate(`"axe" in window`, &loaded))
	if !loaded {
		b.run("load axe", chromedp.Evaluate(source, nil))
	}
	b.run("run axe on "+name,
		chromedp.Evaluate(settled+
			`.then(() => axe.run(`+scope+`, {iframes: false, resultTypes: ["violations"], rules: {"target-size": {enabled: true}}})).then(r => JSON.stringify(r.violations.map(v => v.id + ": " + v.nodes.map(n => n.html).join(" | "))))`,
			&found, await))
	var violations []string
	if err := json.Unmarshal([]byte(found), &violations); err != nil {
		b.t.Fatalf("decode axe's violations on %s: %v", name, err)
	}
	for _, v := range violations {
		b.t.Errorf("%s %s: axe: %s", b.view, name, v)
	}
}

func await(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }
