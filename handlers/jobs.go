package handlers

import (
	"context"
	"slices"
	"time"

	"github.com/resume-matcher/credits/services/periodic"
)

// Jobs are the background work of the services that the handlers call.
func (h *Handler) Jobs() []periodic.Job {
	jobs := slices.Concat(h.Webhook.Jobs(), h.Purchase.Jobs(), h.Account.Jobs(), h.Reconcile.Jobs(), h.Spend.Jobs(),
		h.Withdrawal.Jobs(), h.Outbound.Jobs(), h.Mail.Jobs(), h.Sessions.rows.Jobs())
	if h.Gate != nil {
		jobs = append(jobs, h.Gate.Jobs()...)
	}
	if h.Mail.Server != nil {
		jobs = append(jobs, h.Admin.Jobs()...)
	}
	return append(jobs, periodic.Job{Name: "sweep limits", Pause: time.Minute, Work: func(ctx context.Context) error {
		_, err := h.Limits.Sweep(ctx)
		return err
	}})
}
