package pages

import (
	"context"

	"github.com/resume-matcher/credits/locales"
	"github.com/resume-matcher/credits/models"
)

// letterName returns the subject of a letter or, before it is sent, its kind.
func letterName(l models.Letter) string {
	if l.Subject == "" {
		return string(l.Kind)
	}
	return l.Subject
}

// DossierTitle tells the tabs of several dossiers apart.
func DossierTitle(ctx context.Context, p models.Purchase) string {
	return locales.T(ctx, "dossier.title") + " " + p.Number.String()
}
