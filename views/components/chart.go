package components

import (
	"strconv"

	"github.com/resume-matcher/credits/models"
)

// ChartKind is how a chart arranges its series.
type ChartKind string

// The kinds.
const (
	Opposed ChartKind = "opposed" // the first series above the axis, the others below it: in and out
	Stacked ChartKind = "stacked" // each series on top of the previous one: parts of a whole
)

// ChartData describes a chart. Its texts are in the reader's language.
type ChartData struct {
	ID          string // unique on the page; prefix of the drawing's ids
	Title       string
	Description string // what the chart shows, in a sentence
	Empty       string // text in place of a chart without values
	Kind        ChartKind
	Series      []string    // names, in the order of each slot's values
	Slots       []ChartSlot // oldest first
}

// ChartSlot is one period of time.
type ChartSlot struct {
	Label  string           // short, below the axis
	Name   string           // in full, in the table
	Values []models.Credits // one per series; negative values count as zero
}

// Units of the drawing. The browser stretches it, so it contains no text.
const (
	chartHeight = 100.0
	slotWidth   = 10.0
	barInset    = 1.0 // space on both sides of a bar
	barMinimum  = 1.5 // height at which a bar stays visible beside tall ones
)

// bar is one rectangle of the drawing.
type bar struct{ X, Y, Width, Height string }

// empty reports whether there is nothing to draw.
func (d ChartData) empty() bool {
	up, down := d.extent()
	return up+down == 0
}

// extent returns the height of the tallest slot above the axis, and of the tallest below it.
func (d ChartData) extent() (up, down float64) {
	for _, slot := range d.Slots {
		rise, fall := 0.0, 0.0
		for i := range d.Series {
			if d.hangs(i) {
				fall += slot.value(i)
			} else {
				rise += slot.value(i)
			}
		}
		up, down = max(up, rise), max(down, fall)
	}
	return up, down
}

// axis returns the position of zero.
func (d ChartData) axis() float64 {
	up, down := d.extent()
	if up+down == 0 {
		return chartHeight
	}
	return chartHeight * up / (up + down)
}

// bars returns the bars of one series. Both directions share one scale.
func (d ChartData) bars(series int) []bar {
	up, down := d.extent()
	var drawn []bar
	for i, slot := range d.Slots {
		if slot.value(series) == 0 {
			continue
		}
		before := 0.0 // height of the series between this one and the axis
		for j := range series {
			if d.hangs(j) == d.hangs(series) {
				before += slot.value(j)
			}
		}
		scale := chartHeight / (up + down)
		height := max(slot.value(series)*scale, barMinimum)
		y := d.axis() - before*scale - height
		if d.hangs(series) {
			y = d.axis() + before*scale
		}
		y = min(max(y, 0), chartHeight-height)
		drawn = append(drawn, bar{unit(float64(i)*slotWidth + barInset), unit(y), unit(slotWidth - 2*barInset), unit(height)})
	}
	return drawn
}

// hangs reports whether a series lies below the axis.
func (d ChartData) hangs(series int) bool { return d.Kind == Opposed && series > 0 }

func (d ChartData) width() float64 { return float64(len(d.Slots)) * slotWidth }

// labels returns the labels that fit on the narrowest screen: the first, the middle and the last.
func (d ChartData) labels() []string {
	if len(d.Slots) < 3 {
		all := make([]string, len(d.Slots))
		for i, slot := range d.Slots {
			all[i] = slot.Label
		}
		return all
	}
	return []string{d.Slots[0].Label, d.Slots[len(d.Slots)/2].Label, d.Slots[len(d.Slots)-1].Label}
}

// credits returns a value for the table.
func (s ChartSlot) credits(series int) models.Credits {
	if series >= len(s.Values) {
		return 0
	}
	return max(s.Values[series], 0)
}

func (s ChartSlot) value(series int) float64 { return float64(s.credits(series)) }

func unit(n float64) string { return strconv.FormatFloat(n, 'f', 2, 64) }

// seriesTone returns the color classes of a series. Its pattern differs too: see chartPattern.
func seriesTone(kind ChartKind, series int) string {
	switch {
	case kind == Opposed && series == 0:
		return "text-success forced-colors:text-[CanvasText]"
	case kind == Opposed:
		return "text-destructive forced-colors:text-[CanvasText]"
	case series%2 == 0:
		return "text-primary forced-colors:text-[CanvasText]"
	default:
		return "text-warning-text forced-colors:text-[CanvasText]"
	}
}

// seriesFill returns the fill of a series' bars: plain for the first, a pattern for the others.
func seriesFill(id string, series int) string {
	if series == 0 {
		return "currentColor"
	}
	return "url(#" + patternID(id, series) + ")"
}

func patternID(id string, series int) string { return id + "-pattern-" + strconv.Itoa(series) }

// patternLines returns the path of a pattern's tile: horizontal, vertical or crossed lines.
func patternLines(series int) string {
	switch series % 3 {
	case 1:
		return "M0 1H4"
	case 2:
		return "M1 0V4"
	default:
		return "M0 1H4M1 0V4"
	}
}
