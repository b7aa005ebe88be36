package handlers

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"html"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/locales"
	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/gate"
	"github.com/resume-matcher/credits/static"
	"github.com/resume-matcher/credits/views/components"
	"github.com/resume-matcher/credits/views/pages"
)

const (
	embedPath      = "/credits/embed.js"
	embedStatePath = "/credits/embed.json"
)

// showEmbed is GET /credits/embed.js, the script in Resume Matcher's pages. Its name stays, so browsers ask whether it
// has changed.
func showEmbed(c *fiber.Ctx) error { return sendFile(c, static.Path("js/embed.js"), "no-cache") }

// embedState is what the script draws.
type embedState struct {
	Available models.Credits  `json:"available"`
	Balance   string          `json:"balance"`
	Taken     string          `json:"taken,omitempty"`
	URL       string          `json:"url"`
	Link      string          `json:"link"`
	Costs     string          `json:"costs"`
	Features  []embedFeature  `json:"features"`
	Shortage  *pages.Shortage `json:"shortage,omitempty"`
}

type embedFeature struct {
	Label   string `json:"label"`
	Credits string `json:"credits"`
	Text    string `json:"text,omitempty"`
}

// sendEmbedState is GET /credits/embed.json. The parameters taken and feature ask for a sentence about what a request
// took, if anything; missing, required and feature ask for the order that covers the shortage, which returns to
// returnUrl.
func (h *Handler) sendEmbedState(c *fiber.Ctx) error {
	h.setLocale(c, h.preferredLocale(c))
	ctx, user := c.UserContext(), currentUser(c)
	prices, err := h.Spend.Features(ctx)
	if err != nil {
		return err
	}
	s := embedState{
		Available: user.Available(), Balance: components.CreditAmount(ctx, user.Available()),
		URL:  h.ownAddress(localPath(c, "/billing")),
		Link: locales.T(ctx, "embed.link"), Costs: locales.T(ctx, "embed.costs"),
	}
	for _, p := range prices {
		name, label := string(p.Feature), p.Label(pageLocale(c))
		s.Features = append(s.Features, embedFeature{Label: components.FeatureName(ctx, name, label),
			Credits: components.CreditAmount(ctx, p.Credits), Text: components.FeatureText(ctx, name, label)})
	}
	feature := featureName(ctx, prices, c.Query("feature"))
	switch taken := queryCredits(c, "taken"); {
	case c.Query("taken") == "0":
		s.Taken = locales.T(ctx, "embed.nothing_taken")
	case taken > 0:
		s.Taken = locales.T(ctx, "embed.taken", locales.Args{"feature": feature,
			"credits": components.SignedCredits(ctx, -taken), "left": s.Balance})
	}
	if missing := queryCredits(c, "missing"); missing > 0 {
		back, err := h.returnURL(c.Query(paramReturnURL))
		if err != nil { // the buyer returns to our own page
			back = ""
		}
		s.Shortage, err = h.shortage(ctx, need{user, feature, queryCredits(c, "required"), user.Available(), missing}, back)
		if err != nil {
			return err
		}
	}
	return c.JSON(s)
}

// queryCredits reads a number of credits from the query; 0 if there is none.
func queryCredits(c *fiber.Ctx, name string) models.Credits {
	n, err := strconv.ParseInt(c.Query(name), 10, 32)
	if err != nil {
		return 0
	}
	return models.Credits(n)
}

const (
	headSearch = 64 << 10 // bytes of a page in which its head is looked for
	maxHeadTag = 1 << 10  // bytes of the tag, which may arrive in pieces
)

var headTag = regexp.MustCompile(`(?i)<head(\s[^>]*)?>`)

// embed puts the script first into the head of a page, so that it runs before the page's own.
func embed(c *fiber.Ctx, answer *gate.Response) {
	if answer.Status != fiber.StatusOK || isAPI(c) || answer.Tenant == "" ||
		!strings.HasPrefix(answer.Header.Get(fiber.HeaderContentType), fiber.MIMETextHTML) {
		return
	}
	sum := sha256.Sum256([]byte(answer.Tenant)) // tells users apart in a browser, and nothing else
	script := fmt.Sprintf(`<script src="%s" data-user="%s" data-styles="%s"></script>`, embedPath,
		hex.EncodeToString(sum[:8]), html.EscapeString(static.Path("css/embed.css")))
	answer.Body = &embeddingBody{ReadCloser: answer.Body, script: script}
	answer.Length = -1
	for _, name := range []string{fiber.HeaderETag, fiber.HeaderLastModified, fiber.HeaderAcceptRanges} {
		answer.Header.Del(name) // of the page without the script
	}
}

// embeddingBody is a page with a script in its head. It passes the page on as it arrives, once the head has.
type embeddingBody struct {
	io.ReadCloser
	script string
	page   io.Reader // nil until the head has been found, or is not to be expected any more
}

// Read reads the page and the script.
func (b *embeddingBody) Read(p []byte) (int, error) {
	if b.page == nil {
		start, err := b.readHead()
		end := len(start)
		script := ""
		if found := headTag.FindIndex(start[:min(len(start), headSearch)]); found != nil {
			end, script = found[1], b.script
		}
		rest := io.Reader(b.ReadCloser)
		if err != nil {
			rest = failed{err}
		}
		b.page = io.MultiReader(bytes.NewReader(start[:end]), strings.NewReader(script), bytes.NewReader(start[end:]), rest)
	}
	return b.page.Read(p)
}

// readHead reads until the page's head has begun.
func (b *embeddingBody) readHead() ([]byte, error) {
	start := make([]byte, 0, 4<<10)
	for len(start) < headSearch {
		start = slices.Grow(start, 1<<10)
		n, err := b.ReadCloser.Read(start[len(start):cap(start)])
		searched := max(0, len(start)-maxHeadTag)
		if start = start[:len(start)+n]; err != nil || headTag.Match(start[searched:]) {
			return start, err
		}
	}
	return start, nil
}

// failed is a reader that has ended with an error.
type failed struct{ err error }

// Read returns the error.
func (f failed) Read([]byte) (int, error) { return 0, f.err }
