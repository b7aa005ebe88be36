package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// The README's pictures, which `make screenshots` writes to static/img. They are small and not part of the binary.
func TestReadmeScreenshots(t *testing.T) {
	if os.Getenv("SCREENSHOTS") == "" {
		t.Skip("make screenshots runs this test")
	}
	const limit = 60_000 // bytes per picture
	s := start(t)
	for _, c := range []struct {
		locale        string
		width, height int
		pages         []string
	}{{"en", 1280, 800, []string{"billing", "result"}}, {"de", 375, 760, []string{"billing"}}} {
		b := newBrowser(t, s, view{c.locale, c.width, c.height})
		b.signIn("ada." + c.locale + "@example.com")
		b.open("/" + c.locale + "/purchase?package=500")
		b.click("#place-order")
		b.click("#pay")
		b.waitForText("#balance", "500")
		for _, feature := range []string{"resume_analysis", "resume_improvement", "job_match"} {
			b.spend(feature)
		}
		for _, name := range c.pages {
			b.openPictured(name)
			var picture []byte
			b.run("capture the page", chromedp.ActionFunc(func(ctx context.Context) (err error) {
				var top float64
				if err := chromedp.Evaluate(`scrollY`, &top).Do(ctx); err != nil {
					return err
				}
				picture, err = page.CaptureScreenshot().WithFormat(page.CaptureScreenshotFormatWebp).WithQuality(60).
					WithClip(&page.Viewport{Y: top, Width: float64(c.width), Height: float64(c.height), Scale: 0.75}).Do(ctx)
				return err
			}))
			if len(picture) > limit {
				t.Errorf("%s: %d bytes, want at most %d", name, len(picture), limit)
			}
			if err := os.WriteFile(filepath.Join("../../static/img", fmt.Sprintf("%s-%d", b.locale, b.width)+"-"+name+".webp"),
				picture, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// openPictured opens a page of ours, or has Resume Matcher analyse a resume and shows its findings, what they took, and
// the new balance.
func (b *browser) openPictured(name string) {
	b.t.Helper()
	if name != "result" {
		b.open("/" + b.locale + "/" + name)
		return
	}
	b.open("/dashboard")
	b.click("#example")
	b.inShadow("what the analysis took", `output`, "−10 · ")
	b.click("#resumes .rows button")
	b.run("see the findings", chromedp.WaitVisible("#resumes .result li", chromedp.ByQuery),
		chromedp.Evaluate(`document.querySelector("#resumes").scrollIntoView()`, nil))
}
