package e2e

import "github.com/PuerkitoBio/goquery"

// checkButtons requires at most one primary button in each region of a page.
func (c *crawler) checkButtons(name string, doc *goquery.Document) {
	const region = "section, dialog, details, .page-panel, .empty, #content"
	inRegion := map[any][]string{}
	doc.Find(`#content .btn[data-variant="primary"]`).Each(func(_ int, button *goquery.Selection) {
		node := button.Closest(region).Get(0)
		inRegion[node] = append(inRegion[node], button.AttrOr("id", "?"))
	})
	for _, buttons := range inRegion {
		if len(buttons) > 1 {
			c.visitor.t.Errorf("%s %s: primary buttons %v in one region, want one", c.locale, name, buttons)
		}
	}
}
