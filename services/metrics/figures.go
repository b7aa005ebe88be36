package metrics

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/resume-matcher/credits/models"
)

const (
	readTimeout = 3 * time.Second
	minFresh    = 5 * time.Second // figures are exported again for so long
	freshFactor = 20              // or 20 times as long as it took to read them: at most a twentieth of one connection
)

// figures exports the figures of the database. However many scrapers ask, it reads them once in a while.
type figures struct {
	read func(context.Context) (models.Figures, error)
	now  func() time.Time

	mu         sync.Mutex
	last       models.Figures
	err        error
	freshUntil time.Time
}

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

// The figures. Credits are gauges: the sum of the entries sinks when records reach the end of their retention.
var (
	descUp          = describe("credits_figures_up", "1 if the figures of the database could be read, else 0.")
	descSold        = describe("credits_sold", "Credits from purchases.")
	descRefunded    = describe("credits_refunded", "Credits taken back for refunds and disputes.")
	descGranted     = describe("credits_granted", "Credits granted by admins, less corrections.")
	descSpent       = describe("credits_spent", "Credits spent on features.")
	descOutstanding = describe("credits_outstanding", "Sum of all balances.")
	descHeld        = describe("credits_held", "Credits in open holds.")
	descEvents      = describe("credits_stripe_events", "Stored Stripe events.", "status")
	descEventAge    = describe("credits_stripe_event_oldest_age_seconds",
		"Time since the arrival of the oldest event of a status; 0 for none.", "status")
	descHolds      = describe("credits_holds", "Holds.", "status")
	descOverdue    = describe("credits_holds_overdue", "Open holds that should have expired more than a minute ago.")
	descReviews    = describe("credits_reviews", "Items that need a person.", "kind", "cause")
	descDeliveries = describe("credits_webhook_deliveries",
		"Events for the operator's endpoints, kept for 30 days.", "status")
	descDeliveryAge = describe("credits_webhook_delivery_oldest_waiting_age_seconds",
		"Time since the oldest event that waits for one of the operator's endpoints; 0 for none.")
	descLetters   = describe("credits_letters", "Letters.", "status")
	descLetterAge = describe("credits_letter_oldest_waiting_age_seconds",
		"Time since the oldest letter that waits for the mail server; 0 for none.")
	descFindings = describe("credits_reconcile_findings", "Findings of all reconciliations.", "kind")
	descRun      = describe("credits_reconcile_last_success_timestamp_seconds",
		"End of the last reconciliation; 0 before the first.")
)

// Describe lists the figures.
func (f *figures) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descUp, descSold, descRefunded, descGranted, descSpent, descOutstanding, descHeld,
		descEvents, descEventAge, descHolds, descOverdue, descReviews, descDeliveries, descDeliveryAge,
		descLetters, descLetterAge, descFindings, descRun} {
		out <- d
	}
}

// Collect exports the figures, each status and kind even where it counts nothing. If they cannot be read, it exports
// that alone: old figures would hide it.
func (f *figures) Collect(out chan<- prometheus.Metric) {
	export := func(d *prometheus.Desc, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	v, err := f.load()
	if err != nil {
		export(descUp, 0)
		return
	}
	export(descUp, 1)
	export(descSold, float64(v.Totals.Purchased))
	export(descRefunded, float64(-v.Totals.Returned))
	export(descGranted, float64(v.Totals.Manual))
	export(descSpent, float64(v.Totals.Used))
	export(descOutstanding, float64(v.Totals.Outstanding))
	export(descHeld, float64(v.Totals.Held))
	events := map[models.StripeEventStatus]models.EventFigure{}
	for _, e := range v.Events {
		events[e.Status] = e
	}
	for _, status := range models.StripeEventStatuses() {
		export(descEvents, float64(events[status].Count), string(status))
		if status != models.EventDone && status != models.EventIgnored {
			export(descEventAge, events[status].Age, string(status))
		}
	}
	holds, overdue := map[models.HoldStatus]int64{}, int64(0)
	for _, h := range v.Holds {
		holds[h.Status], overdue = h.Count, overdue+h.Overdue
	}
	export(descOverdue, float64(overdue))
	for _, status := range models.HoldStatuses() {
		export(descHolds, float64(holds[status]), string(status))
	}
	collectOutgoing(v, export)
	findings := map[models.FindingKind]int64{}
	for _, found := range v.Findings {
		findings[found.Kind] = found.Count
	}
	for _, kind := range models.FindingKinds() {
		export(descFindings, float64(findings[kind]), string(kind))
	}
	for _, w := range v.Waiting {
		export(descReviews, float64(w.Count), string(w.Kind), string(w.Cause))
	}
	if v.Reconciled == nil {
		export(descRun, 0)
		return
	}
	export(descRun, float64(v.Reconciled.Unix()))
}

// collectOutgoing exports what leaves the product: events for the operator's endpoints, and letters.
func collectOutgoing(v models.Figures, export func(d *prometheus.Desc, value float64, labels ...string)) {
	deliveries, letters := map[models.DeliveryStatus]models.DeliveryFigure{}, map[models.LetterStatus]models.LetterFigure{}
	for _, d := range v.Deliveries {
		deliveries[d.Status] = d
	}
	for _, l := range v.Letters {
		letters[l.Status] = l
	}
	for _, status := range models.DeliveryStatuses() {
		export(descDeliveries, float64(deliveries[status].Count), string(status))
	}
	for _, status := range models.LetterStatuses() {
		export(descLetters, float64(letters[status].Count), string(status))
	}
	export(descDeliveryAge, deliveries[models.DeliveryPending].Age)
	export(descLetterAge, letters[models.LetterWaiting].Age)
}

// load returns the figures, or why they could not be read, and reads again once that is no longer fresh. Concurrent
// scrapes wait for one reading.
func (f *figures) load() (models.Figures, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	began := f.now()
	if began.Before(f.freshUntil) {
		return f.last, f.err
	}
	ctx, cancel := context.WithTimeout(context.Background(), readTimeout)
	defer cancel()
	f.last, f.err = f.read(ctx)
	f.freshUntil = f.now().Add(max(minFresh, freshFactor*f.now().Sub(began)))
	return f.last, f.err
}
