package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/resume-matcher/credits/models/dbtest"
)

// Main pages work with everything at 200 %, with text alone at 200 %, in forced colours, and without motion. In make
// test the pages alternate between the languages.
// Source: https://www.w3.org/TR/WCAG22/#resize-text and #reflow
func TestZoom(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, locale := range []string{"en", "de"} {
		t.Run(locale, func(t *testing.T) {
			t.Parallel()
			buyer, admin := buyAndSpend(t, s, locale, "zoom."+locale+"@example.com")
			purchase := strings.TrimPrefix(admin.at.Path, "/"+locale+"/admin")
			admin.open("/" + locale + "/admin?q=zoom." + locale)
			user := strings.TrimPrefix(admin.find(`main a[href*="/admin/users/"]`).AttrOr("href", ""), "/"+locale)
			for _, group := range []struct {
				visitor *visitor
				paths   []string
			}{
				{newVisitor(s, locale), []string{"", "/login", "/withdrawal", "/nothing", "/dev/components"}},
				{buyer, []string{"", "/billing", "/purchase", "/purchase?package=500&quantity=3", "/history",
					strings.Replace(purchase, "/purchases/", "/purchase/", 1), "/account", "/account/delete"}},
				{admin, []string{"/admin", user, "/admin" + purchase, "/admin/events", "/admin/audit", "/admin/withdrawals",
					"/admin/features", "/admin/keys", "/admin/webhooks", "/admin/letters"}},
			} {
				b := newBrowser(t, s, view{locale, 1280, 900})
				b.copySession(group.visitor)
				for i, path := range group.paths {
					if !dbtest.Full() && locale != []string{"en", "de"}[i%2] {
						continue // tested in the other language
					}
					b.expectRefusals = path == "/nothing"
					b.open(b.page(path))
					b.checkZoom(path)
					b.checkForcedColors(path)
				}
			}
		})
	}
}

// checkZoom requires an intact layout at 200 %: first everything, which halves the window, then text alone.
func (b *browser) checkZoom(path string) {
	b.t.Helper()
	b.run("zoom to 200 %", chromedp.EmulateViewport(640, 450, chromedp.EmulateScale(2)))
	b.waitUntil("a window of half the width", `innerWidth === 640 && devicePixelRatio === 2`)
	b.checkLayout(path + " at 200 %")
	b.resize(1280)
	b.waitUntil("a window of full width", `innerWidth === 1280`)
	b.run("enlarge the text", chromedp.Evaluate(`document.documentElement.style.fontSize = "200%"`, nil))
	b.checkLayout(path + " with text at 200 %")
	b.run("reset the text size", chromedp.Evaluate(`document.documentElement.style.fontSize = ""`, nil))
}

// layoutFaults is a script that lists texts that overlap, leave their box, are cut off, or widen the page.
const layoutFaults = `(() => {
	const wrong = [], texts = [], root = document.documentElement;
	if (root.scrollWidth > root.clientWidth) wrong.push("wider than the window: " + [...document.querySelectorAll("body *")].filter(e => e.getBoundingClientRect().right > root.clientWidth + 1
		&& !e.closest(".table-container, .code, .strip")).map(e => e.outerHTML.slice(0, 90)).slice(-2).join(" … "));
	const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	for (let node; node = walker.nextNode();) {
		const e = node.parentElement;
		if (!node.data.trim() || !e.checkVisibility({visibilityProperty: true}) || e.closest(".sr-only, .skip-link, .progress, option, svg, script")) continue;
		const range = document.createRange();
		range.selectNodeContents(node);
		const pane = e.closest(".table-container, .code, .strip")?.getBoundingClientRect();
		const box = e.closest(".btn, .badge, .card, .alert, .flash, .balance-badge, .nav-link")?.getBoundingClientRect();
		for (const r of range.getClientRects()) {
			if (r.width < 2 || pane && (r.left < pane.left || r.right > pane.right)) continue;
			if (!pane && box && (r.left < box.left - 1 || r.right > box.right + 1 || r.top < box.top - 1 || r.bottom > box.bottom + 1))
				wrong.push("out of its box: " + node.data.trim().slice(0, 60));
			texts.push({r, node});
		}
		for (let up = e; up && up !== document.body; up = up.parentElement) {
			const s = getComputedStyle(up);
			if (/hidden|clip/.test(s.overflowX + s.overflowY) && (up.scrollWidth > up.clientWidth + 1 || up.scrollHeight > up.clientHeight + 1)) {
				wrong.push("cut off: " + node.data.trim().slice(0, 60));
				break;
			}
		}
	}
	texts.sort((a, b) => a.r.top - b.r.top);
	texts.forEach((a, i) => {
		for (let k = i + 1; k < texts.length && texts[k].r.top < a.r.bottom; k++) {
			const b = texts[k], high = Math.min(a.r.bottom, b.r.bottom) - b.r.top, wide = Math.min(a.r.right, b.r.right) - Math.max(a.r.left, b.r.left);
			if (a.node !== b.node && wide > 2 && high > Math.min(a.r.height, b.r.height) / 4)
				wrong.push("on each other: " + a.node.data.trim().slice(0, 40) + " / " + b.node.data.trim().slice(0, 40));
		}
	});
	return [...new Set(wrong)].slice(0, 5);
})()`

// checkLayout requires that layoutFaults finds nothing.
func (b *browser) checkLayout(name string) {
	b.t.Helper()
	var wrong []string
	b.measure(name, layoutFaults, &wrong)
	for _, fault := range wrong {
		b.t.Errorf("%s %s: %s", b.locale, name, fault)
	}
}

// forcedColorFaults is a script that lists elements without an edge in forced colours, and elements that still move.
const forcedColorFaults = `(() => {
	const wrong = [], canvas = getComputedStyle(document.body).backgroundColor;
	const sees = (e) => e.checkVisibility({visibilityProperty: true});
	for (const e of document.querySelectorAll(".btn:not([data-variant=quiet]), .input, .textarea, select, .card, .alert, .flash, .balance-badge"))
		if (sees(e) && !(parseFloat(getComputedStyle(e).borderTopWidth) >= 1)) wrong.push("without an edge: " + e.outerHTML.slice(0, 80));
	const line = (e) => getComputedStyle(e).borderBottomColor;
	for (const here of document.querySelectorAll(".nav-link[aria-current=page], .nav-link[aria-current=true]")) {
		const another = here.closest("ul").querySelector(".nav-link:not([aria-current=page], [aria-current=true])");
		if (another && line(here) === line(another)) wrong.push("marked like the others: " + here.textContent.trim());
	}
	for (const bar of document.querySelectorAll("figure svg g[data-series] rect"))
		if (bar.checkVisibility() && !bar.closest("defs") && getComputedStyle(bar).stroke === "none") wrong.push("a bar without an edge");
	for (const e of document.querySelectorAll("*")) {
		const s = getComputedStyle(e);
		if ([s.transitionDuration, s.animationDuration].some(d => d.split(",").some(one => parseFloat(one) > 0)) || s.scrollBehavior === "smooth") wrong.push("moves: " + e.outerHTML.slice(0, 80));
	}
	return [...new Set(wrong)].slice(0, 5);
})()`

// checkForcedColors checks the page in forced colours and without motion; at full depth also with axe.
func (b *browser) checkForcedColors(path string) {
	b.t.Helper()
	b.run("force colours", emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{
		{Name: "forced-colors", Value: "active"}, {Name: "prefers-reduced-motion", Value: "reduce"}}))
	var wrong []string
	b.run("list faults", chromedp.Evaluate(forcedColorFaults, &wrong))
	for _, fault := range wrong {
		b.t.Errorf("%s %s in forced colours, without motion: %s", b.locale, path, fault)
	}
	if dbtest.Full() {
		b.check(fmt.Sprintf("forced%s", strings.ReplaceAll(path, "/", "-")), strings.SplitN(b.page(path), "?", 2)[0])
	}
	b.run("reset the media features", emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{
		{Name: "forced-colors", Value: "none"}, {Name: "prefers-reduced-motion", Value: "no-preference"}}))
}
