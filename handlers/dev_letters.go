package handlers

import (
	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/views/letters"
	"github.com/resume-matcher/credits/views/pages"
)

const devLettersPath = "/dev/letters"

// letterPolicy is the Content-Security-Policy of a letter: it loads nothing and runs nothing.
const letterPolicy = "sandbox allow-popups; default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'"

// showLetters is GET /{locale}/dev/letters?sample=: one letter at several widths and as text, and the list of all.
// Production answers 404.
func (h *Handler) showLetters(c *fiber.Ctx) error {
	sample, err := h.askedSample(c)
	if err != nil {
		return err
	}
	locale := pageLocale(c)
	content, err := h.Letters.WriteSample(sample, locale)
	if err != nil {
		return err
	}
	page := pages.LettersData{Locale: locale, Path: devLettersPath, Sample: sample.Name, Subject: content.Subject,
		Text: content.Text}
	for _, other := range letters.Samples {
		page.Samples = append(page.Samples, other.Name)
	}
	for _, file := range content.Attachments {
		page.Files = append(page.Files, file.Name)
	}
	c.Set(fiber.HeaderContentSecurityPolicy, h.Site.policy+"; frame-src 'self'")
	return h.render(c, fiber.StatusOK, "letters.title", pages.Letters(page))
}

// sendLetter is GET /{locale}/dev/letters/html?sample=: a letter as a mail program shows it.
func (h *Handler) sendLetter(c *fiber.Ctx) error {
	sample, err := h.askedSample(c)
	if err != nil {
		return err
	}
	content, err := h.Letters.WriteSample(sample, pageLocale(c))
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderContentSecurityPolicy, letterPolicy)
	c.Set(fiber.HeaderXFrameOptions, "SAMEORIGIN")
	c.Type("html", "utf-8")
	return c.SendString(content.HTML)
}

// askedSample returns the sample that a request names, or the first.
func (h *Handler) askedSample(c *fiber.Ctx) (letters.Sample, error) {
	name := c.Query("sample", letters.Samples[0].Name)
	for _, sample := range letters.Samples {
		if h.Site.Development && sample.Name == name {
			return sample, nil
		}
	}
	return letters.Sample{}, fault.New(fault.NotFound, nil)
}
