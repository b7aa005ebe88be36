package handlers

import (
	"bytes"
	"context"
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
	Available models.Credits `json:"available"`
	Balance   string         `json:"balance"`
	Taken     string         `json:"taken,omitempty"`
	URL       string         `json:"url"`
	Link      string         `json:"link"`
	Costs     string         `json:"costs"`
	Features  []embedFeature `json:"features"`
	Shortage  *embedShortage `json:"shortage,omitempty"`
}

type embedFeature struct {
	Label   string `json:"label"`
	Credits string `json:"credits"`

	name string
}

// embedShortage is the dialog about missing credits.
type embedShortage struct {
	Title   string `json:"title"`
	Text    string `json:"text"`
	Offer   string `json:"offer"`
	URL     string `json:"url"`
	Buy     string `json:"buy"`
	Decline string `json:"decline"`
	Waiting string `json:"waiting"`
}

// sendEmbedState is GET /credits/embed.json. With taken it says what a request took; with missing, required and feature
// how to go on.
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
		s.Features = append(s.Features, embedFeature{name: string(p.Feature),
			Credits: components.CreditAmount(ctx, p.Credits),
			Label:   components.FeatureName(ctx, string(p.Feature), p.Label(pageLocale(c)))})
	}
	if taken := queryCredits(c, "taken"); taken > 0 {
		s.Taken = locales.T(ctx, "embed.taken", locales.Args{"credits": components.CreditAmount(ctx, taken),
			"left": s.Balance})
	}
	if missing := queryCredits(c, "missing"); missing > 0 {
		if s.Shortage, err = h.embedShortage(ctx, s, missing, queryCredits(c, "required"), c.Query("feature")); err != nil {
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

func (h *Handler) embedShortage(ctx context.Context, s embedState, missing, required models.Credits,
	feature string) (*embedShortage, error) {
	for _, f := range s.Features {
		if f.name == feature {
			feature = f.Label
		}
	}
	d := &embedShortage{
		Title: locales.T(ctx, "embed.shortage.title"), Buy: locales.T(ctx, "embed.shortage.buy"),
		Decline: locales.T(ctx, "embed.shortage.decline"), Waiting: locales.T(ctx, "embed.shortage.waiting"),
		Text: locales.T(ctx, "embed.shortage.text", locales.Args{"feature": feature, "available": s.Balance,
			"required": components.CreditAmount(ctx, required)}),
		Offer: locales.T(ctx, "embed.shortage.none"), URL: h.ownAddress("/" + locales.Code(ctx) + "/purchase"),
	}
	cover, err := h.Catalog.Cover(ctx, missing)
	if err != nil || cover == nil {
		return d, err
	}
	text := "embed.shortage.covered"
	if cover.Credits() < missing {
		text = "embed.shortage.some"
	}
	d.Offer = locales.T(ctx, text, locales.Args{"credits": components.CreditAmount(ctx, cover.Credits()),
		"price": pages.CoverPrice(ctx, *cover)})
	d.URL = h.ownAddress(pages.CoverPath(ctx, *cover))
	return d, nil
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
