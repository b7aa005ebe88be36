package metrics

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"
)

var descProblem = describe("credits_health_problem",
	"1 if the health check of this process finds the problem, else 0.", "problem")

// problems exports what the health check finds. It checks at each scrape, so that a monitor need not ask /readyz too.
type problems struct {
	check func(context.Context) map[string]bool
}

// Describe names the series.
func (p problems) Describe(out chan<- *prometheus.Desc) { out <- descProblem }

// Collect exports one series for each problem that the check knows.
func (p problems) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), readTimeout)
	defer cancel()
	for name, there := range p.check(ctx) {
		value := 0.0
		if there {
			value = 1
		}
		out <- prometheus.MustNewConstMetric(descProblem, prometheus.GaugeValue, value, name)
	}
}
