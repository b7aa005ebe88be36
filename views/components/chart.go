package components

import (
	"strconv"

	"github.com/resume-matcher/credits/models"
)

// ChartKind is how the series of a chart stand to each other.
type ChartKind string

// The kinds.
const (
	Opposed ChartKind = "opposed" // the first series rises above the axis, the others hang below it: in and out
	Stacked ChartKind = "stacked" // every series stands on the one before: parts of a whole
)

// ChartData is what a chart shows. Its texts are in the reader's language.
type ChartData struct {
	ID          string // unique on the page; the drawing's own ids begin with it
	Title       string
	Description string // what the picture says, in a sentence
	Empty       string // said in place of the picture when nothing has moved
	Kind        ChartKind
	Series      []string    // names, in the order of each slot's values
	Slots       []ChartSlot // oldest first
}

// ChartSlot is one stretch of time.
type ChartSlot struct {
	Label  string           // short, below the axis
	Name   string           // in full, in the table
	Values []models.Credits // one per series; what is below zero counts as zero
}

// The drawing's own units. It is stretched to its place, so no text stands in it: text would be stretched too.
const (
	chartHeight = 100.0
	slotWidth   = 10.0
	barInset    = 1.0 // free on both sides of a bar
	barMinimum  = 1.5 // what is not zero can be seen beside a giant
)

// bar is one rectangle of the drawing.
type bar struct{ X, Y, Width, Height string }

// empty tells whether there is nothing to draw.
func (d ChartData) empty() bool {
	up, down := d.extent()
	return up+down == 0
}

// extent is how far the tallest slot rises above the axis, and how far the deepest hangs below it.
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

// axis is where zero lies in the drawing.
func (d ChartData) axis() float64 {
	up, down := d.extent()
	if up+down == 0 {
		return chartHeight
	}
	return chartHeight * up / (up + down)
}

// bars draws one series: both directions have the same scale, so that heights can be compared.
func (d ChartData) bars(series int) []bar {
	up, down := d.extent()
	var drawn []bar
	for i, slot := range d.Slots {
		if slot.value(series) == 0 {
			continue
		}
		before := 0.0 // of the series between this one and the axis
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

// hangs tells whether a series lies below the axis.
func (d ChartData) hangs(series int) bool { return d.Kind == Opposed && series > 0 }

func (d ChartData) width() float64 { return float64(len(d.Slots)) * slotWidth }

// labels are the few that fit below the axis on the narrowest screen: the first, the middle and the last.
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

// credits is a value as the table tells it.
func (s ChartSlot) credits(series int) models.Credits {
	if series >= len(s.Values) {
		return 0
	}
	return max(s.Values[series], 0)
}

func (s ChartSlot) value(series int) float64 { return float64(s.credits(series)) }

func unit(n float64) string { return strconv.FormatFloat(n, 'f', 2, 64) }

// seriesTone is the colour of a series. Its pattern differs as well: see chartPattern.
func seriesTone(kind ChartKind, series int) string {
	switch {
	case kind == Opposed && series == 0:
		return "text-success forced-colors:text-[CanvasText]"
	case kind == Opposed:
		return "text-danger-text forced-colors:text-[CanvasText]"
	case series%2 == 0:
		return "text-primary forced-colors:text-[CanvasText]"
	default:
		return "text-warning-text forced-colors:text-[CanvasText]"
	}
}

// seriesFill is what fills a series' bars: plain for the first, its own pattern for the others.
func seriesFill(id string, series int) string {
	if series == 0 {
		return "currentColor"
	}
	return "url(#" + patternID(id, series) + ")"
}

func patternID(id string, series int) string { return id + "-pattern-" + strconv.Itoa(series) }

// patternLines are the strokes of a pattern's tile: lying, standing, crossed.
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
