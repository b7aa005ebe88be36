package handlers

import (
	"bytes"
	"fmt"

	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/views/pages"
)

// showDossier is GET /{locale}/admin/purchases/{id}/dossier: the evidence about a purchase, to print.
func (h *Handler) showDossier(c *fiber.Ctx) error {
	data, err := h.dossier(c)
	if err != nil {
		return err
	}
	return h.renderTitled(c, fiber.StatusOK, pages.DossierTitle(c.UserContext(), data.Purchase), pages.Dossier(data))
}

// sendDossier is GET /{locale}/admin/purchases/{id}/dossier.html: the same as a file.
func (h *Handler) sendDossier(c *fiber.Ctx) error {
	data, err := h.dossier(c)
	if err != nil {
		return err
	}
	var file bytes.Buffer
	if err := pages.DossierFile(data).Render(c.UserContext(), &file); err != nil {
		return fmt.Errorf("render the dossier of purchase %s: %w", data.Purchase.ID, err)
	}
	c.Set(fiber.HeaderCacheControl, "no-store")
	c.Set(fiber.HeaderContentType, fiber.MIMEOctetStream) // to be saved: no browser shows it under our origin
	c.Set(fiber.HeaderContentDisposition, `attachment; filename="dossier-`+data.Purchase.Number.String()+`.html"`)
	return c.Send(file.Bytes())
}

func (h *Handler) dossier(c *fiber.Ctx) (pages.DossierData, error) {
	d, err := h.Admin.Dossier(c.UserContext(), c.Params("id"))
	if err != nil {
		return pages.DossierData{}, err
	}
	if err := h.labelAudit(d.Audit); err != nil {
		return pages.DossierData{}, err
	}
	return pages.DossierData{AdminPurchaseData: h.purchaseData(c, d.PurchasePage), Letters: d.Letters,
		Since: d.Since.Entries, More: d.Since.Next != 0, Audit: d.Audit, Known: d.Known, At: h.Purchase.Now()}, nil
}
