package handlers

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/admin"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/views/pages"
)

// showFeatures is GET /{locale}/admin/features; with ?edit= it also opens the form of that feature.
func (h *Handler) showFeatures(c *fiber.Ctx) error {
	form := pages.FeatureForm{Active: true, Feature: c.Query("edit"), Existing: c.Query("edit") != ""}
	if d := h.loadDraft(c); d.of("") {
		form = featureForm(d.value)
	}
	return h.renderFeatures(c, fiber.StatusOK, form)
}

// featureForm returns the form with the values that value returns by name.
func featureForm(value func(name string) string) pages.FeatureForm {
	return pages.FeatureForm{Feature: strings.TrimSpace(value("feature")), Credits: value("credits"),
		LabelEN: value("label_en"), LabelDE: value("label_de"), Active: value("active") != "",
		Existing: value("existing") != "", Typed: true}
}

// renderFeatures sends the page. An existing feature fills its own form until something is typed.
func (h *Handler) renderFeatures(c *fiber.Ctx, status int, form pages.FeatureForm) error {
	features, err := h.Admin.Features(c.UserContext())
	if err != nil {
		return err
	}
	known := !form.Existing
	for _, f := range features {
		if known = known || string(f.Feature) == form.Feature; form.Existing && string(f.Feature) == form.Feature &&
			!form.Typed {
			form.Credits, form.LabelEN, form.LabelDE, form.Active = strconv.FormatInt(int64(f.Credits),
				10), f.LabelEN, f.LabelDE, f.Active
		}
	}
	if !known {
		return fault.New(fault.NotFound, nil)
	}
	return h.render(c, status, "admin_features.title", pages.AdminFeatures(pages.AdminFeaturesData{
		Locale: pageLocale(c), CSRF: currentVisitor(c).csrf(), Features: features, Form: form,
	}))
}

// saveFeature is POST /{locale}/admin/features: it adds or changes a feature.
func (h *Handler) saveFeature(c *fiber.Ctx) error {
	form := featureForm(func(name string) string { return formValue(c, name) })
	err := h.Admin.SetFeature(c.UserContext(), admin.FeatureChange{
		ActorID: currentUserID(c), Feature: form.Feature, New: !form.Existing,
		Credits: models.Credits(parseDigits(strings.TrimSpace(form.Credits))),
		Active:  form.Active, LabelEN: form.LabelEN, LabelDE: form.LabelDE, RequestID: requestID(c),
	})
	if errors, status := h.formErrors(c, err, fault.Invalid); errors != nil {
		form.Errors = errors
		return h.renderFeatures(c, status, form)
	}
	if err != nil {
		return err
	}
	if form.Feature == string(models.ReasonResumeAnalysis) {
		h.describePackages(c.UserContext())
	}
	return h.redirectWithFlash(c, localPath(c, "/admin/features"), "feature_set")
}

// describePackages updates the descriptions of packages at Stripe, which say how many analyses they buy. The admin sees
// no failure: doctor reports the difference, and the order page is right in any case.
func (h *Handler) describePackages(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if err := h.Catalog.SyncProducts(ctx); err != nil {
		h.Site.Log.WarnContext(ctx, "describe packages at Stripe failed; run credits prices sync", "err", err)
	}
}
