package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/chromedp/chromedp"
	"github.com/google/uuid"
)

// spend spends the price of a feature through the API, which is faster than through Resume Matcher, and shows the
// billing page.
func (v *visitor) spend(feature string) {
	v.t.Helper()
	if status := v.trySpend(feature); status != http.StatusCreated {
		v.t.Fatalf("spend %s: status %d, want 201", feature, status)
	}
	v.open("/" + v.locale + "/billing")
}

// trySpend is spend for what may be refused. It returns the status.
func (v *visitor) trySpend(feature string) int {
	v.t.Helper()
	body, err := json.Marshal(map[string]any{"feature": feature, "metadata": map[string]any{}})
	if err != nil {
		v.t.Fatal(err)
	}
	res, _ := request(v.t, v.client, http.MethodPost, v.site.url+"/api/credits/spend", string(body), map[string]string{
		"Content-Type": "application/json", "Idempotency-Key": uuid.NewString(), "Origin": v.site.url})
	return res.StatusCode
}

// spend is the visitor's spend in a browser that shows a page of the site.
func (b *browser) spend(feature string) {
	b.t.Helper()
	var status int
	b.run("spend "+feature, chromedp.Evaluate(fmt.Sprintf(`fetch("/api/credits/spend", {method: "POST",
		headers: {"Content-Type": "application/json", "Idempotency-Key": crypto.randomUUID()},
		body: JSON.stringify({feature: %q, metadata: {}})}).then((answer) => answer.status)`, feature), &status, await))
	if status != http.StatusCreated {
		b.t.Fatalf("spend %s: status %d, want 201", feature, status)
	}
}

// useResumeMatcher goes from the billing page to Resume Matcher and uses each of its features once: 30 credits of 500.
func (b *browser) useResumeMatcher() {
	b.t.Helper()
	b.click("#resume-matcher")
	b.waitForText(".steps", "")
	b.inShadow("the balance", `details summary`, "500")
	b.check("matcher", "/")
	b.click(`.steps a[href="/dashboard"]`)
	b.click("#example")
	b.inShadow("the balance after the analysis", `details summary`, "490")
	b.check("matcher-analysis", "/dashboard")
	b.click(`nav a[href="/tailor"]`)
	b.tailor()
	b.inShadow("the balance after the improvement", `details summary`, "475")
	b.click("#confirm .primary")
	b.waitForText(".next a", "")
	b.check("matcher-improvement", "/tailor")
	b.click(".next a")
	b.waitForText("#letters option", "")
	b.click(`[value="generate-cover-letter"]`)
	b.waitForText("#letter .letter", "Ada Example")
	b.inShadow("the balance after the letter", `details summary`, "470")
	b.check("matcher-letter", "/builder")
}

// tailor has a resume rewritten for a job and waits for the changes.
func (b *browser) tailor() {
	b.t.Helper()
	b.startTailoring()
	b.waitForText("#preview", "Kubernetes")
}

// startTailoring presses the button for a resume to be rewritten for a job.
func (b *browser) startTailoring() {
	b.t.Helper()
	b.waitForText("#tailor option", "example.pdf")
	b.run("type", chromedp.SetValue(`#job`, "Backend engineer at Example Pay", chromedp.ByQuery))
	b.click("#tailor .primary")
}

// inShadow waits until an element of the credits in Resume Matcher's page contains a text.
func (b *browser) inShadow(what, selector, text string) {
	b.t.Helper()
	b.waitUntil(what, fmt.Sprintf(`!!%s?.textContent.replace(/\u00a0/g, " ").includes(%q)`, inShadow(selector), text))
}

// inShadow is a script for an element of the credits in Resume Matcher's page.
func inShadow(selector string) string {
	return fmt.Sprintf(`document.querySelector("credits-balance")?.shadowRoot.querySelector(%q)`, selector)
}
