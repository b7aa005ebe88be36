package handlers

import (
	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/legal"
	"github.com/resume-matcher/credits/views/pages"
)

// showLegal is GET /{locale}/legal/{text}: a legal text.
func (h *Handler) showLegal(c *fiber.Ctx) error {
	d, ok := h.Site.Documents.Document(legal.Kind(c.Params("text")), pageLocale(c))
	if !ok {
		return fault.New(fault.NotFound, nil)
	}
	return h.render(c, fiber.StatusOK, "legal.title."+string(d.Kind), pages.Legal(pages.LegalData{
		Locale: pageLocale(c), Kind: string(d.Kind), Language: d.Locale, HTML: d.HTML, Version: d.Version}))
}

// legalLinks returns where the legal texts are: at the operator's URLs, else on our pages.
func (h *Handler) legalLinks(locale string) Legal {
	links := h.Site.Legal
	for kind, link := range map[legal.Kind]*string{legal.Imprint: &links.Imprint, legal.Terms: &links.Terms,
		legal.Privacy: &links.Privacy, legal.Withdrawal: &links.Withdrawal,
		legal.Accessibility: &links.Accessibility} {
		if _, ok := h.Site.Documents.Document(kind, locale); ok && *link == "" {
			*link = "/" + locale + "/legal/" + string(kind)
		}
	}
	return links
}
