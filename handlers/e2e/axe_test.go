package e2e

import (
	"encoding/json"
	"os"
	"sync"

	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/resume-matcher/credits/models/dbtest"
)

// readAxe reads axe-core once.
var readAxe = sync.OnceValues(func() (string, error) {
	source, err := os.ReadFile("../../node_modules/axe-core/axe.min.js")
	return string(source), err
})

// elementKinds is a script: each kind of element on the page, within its kind of parent. An element's kind is its name, its
// attributes, without those values that hold texts, addresses, ids or coordinates, and whether it has text of its own.
const elementKinds = `(() => {
	const free = /^(id|for|href|src|action|name|value|title|datetime|content|alt|placeholder|lang|hreflang|hx-.*|aria-(label|describedby|labelledby|controls)|d|[xy][12]?|width|height|points|transform)$/;
	const attribute = (a) => a.name + "=" + (free.test(a.name) ? a.value.trim() !== "" : a.value.replace(/\d+/g, "0"));
	const kinds = new Map(), kind = (e) => kinds.get(e) ?? kinds.set(e, [e.tagName, ...[...e.attributes].map(attribute),
		[...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())].join(" ")).get(e);
	return [...new Set([...document.querySelectorAll("body *")].map(e => kind(e.parentElement) + " > " + kind(e)))];
})()`

// audited holds the elementKinds of the pages that axe has judged.
var audited struct {
	sync.Mutex
	elementKinds map[string]bool
}

// unaudited notes the elementKinds of a page and reports whether any of them is new.
func (b *browser) hasNewElements(name string) bool {
	b.t.Helper()
	var found []string
	b.run("read what is on "+name, chromedp.Evaluate(elementKinds, &found))
	audited.Lock()
	defer audited.Unlock()
	if audited.elementKinds == nil {
		audited.elementKinds = map[string]bool{}
	}
	before := len(audited.elementKinds)
	for _, f := range found {
		audited.elementKinds[f] = true
	}
	return len(audited.elementKinds) > before
}

// audit wants axe to find nothing on the page. Except at full depth it leaves out pages on which there is nothing that it
// has not judged before.
func (b *browser) checkAxe(name string) {
	b.t.Helper()
	if !b.hasNewElements(name) && !dbtest.Full() {
		return
	}
	source, err := readAxe()
	if err != nil {
		b.t.Fatalf("axe-core is missing (make generate brings it): %v", err)
	}
	var found string
	var there bool // since it looked at the page in another size
	b.run("look for axe", chromedp.Evaluate(`"axe" in window`, &there))
	if !there {
		b.run("load axe", chromedp.Evaluate(source, nil))
	}
	b.run("axe on "+name, chromedp.Evaluate(settled+`.then(() => axe.run(document, {resultTypes: ["violations"], rules: {"target-size": {enabled: true}}})).then(r => JSON.stringify(r.violations.map(v => v.id + ": " + v.nodes.map(n => n.html).join(" | "))))`,
		&found, await))
	var violations []string
	if err := json.Unmarshal([]byte(found), &violations); err != nil {
		b.t.Fatalf("axe on %s: %v", name, err)
	}
	for _, v := range violations {
		b.t.Errorf("%s %s: axe: %s", b.view, name, v)
	}
}

func await(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }
