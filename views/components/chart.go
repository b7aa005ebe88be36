package components

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/resume-matcher/credits/models"
)

// ChartKind is how a chart draws its series.
type ChartKind string

// The kinds.
const (
	// Steps draws the first series as a stepped line, with the second series as labeled rises before each step. The
	// third is what went down. The others appear in the table only.
	Steps ChartKind = "steps"
	// Bars draws each series in a panel of its own, on its own scale.
	Bars ChartKind = "bars"
)

// ChartData describes a chart. Its texts are in the reader's language.
type ChartData struct {
	ID          string // unique on the page; prefix of the drawing's ids
	Title       string
	Description string // what the chart shows, in a sentence
	Empty       string // text in place of a chart without values
	Kind        ChartKind
	Series      []ChartSeries // in the order of each slot's values
	Slots       []ChartSlot   // oldest first
}

// ChartSeries is the name of a series and the currency of its values; credits have none.
type ChartSeries struct{ Name, Currency string }

// ChartSlot is one period of time.
type ChartSlot struct {
	Label  string  // short, below the axis
	Name   string  // in full, in the table and under the pointer
	Values []int64 // one per series
}

// plot is the area in which one panel is drawn. Heights are pixels; widths are shares of the window, so that lines
// stretch with it and texts do not.
type plot struct {
	data        ChartData
	series      int     // the first series drawn
	top, bottom float64 // largest and smallest value of the scale, zero included
	above       float64 // space for texts above the scale
	height      float64 // of the scale
}

const (
	slotWidth  = 10.0 // of the stretched drawing
	barInset   = 1.5  // on both sides of a bar
	barMinimum = 1.5  // pixels at which a bar stays visible beside tall ones
	belowScale = 8.0  // pixels
	textHeight = 4.0  // pixels by which a text's base lies below its middle

	narrowest = 260.0 // pixels of the narrowest drawing, where labels must not touch
	charWidth = 7.5   // pixels of a digit
)

// mark is a text of the drawing, at a share of the width in percent and at pixels from the top.
type mark struct{ X, Y, Anchor, Text string }

// empty reports whether there is nothing to draw.
func (d ChartData) empty() bool {
	for series := range d.Series {
		if d.moves(series) {
			return false
		}
	}
	return true
}

// moves reports whether a series has a value other than zero.
func (d ChartData) moves(series int) bool {
	return slices.ContainsFunc(d.Slots, func(s ChartSlot) bool { return s.value(series) != 0 })
}

// panels returns what the chart draws, one below the other. A series without values has no panel.
func (d ChartData) panels() []plot {
	if d.Kind == Steps {
		return []plot{d.plot(0, 40, 144)}
	}
	var all []plot
	for i := range d.Series {
		if d.moves(i) {
			all = append(all, d.plot(i, 20, 72))
		}
	}
	return all
}

func (d ChartData) plot(series int, above, height float64) plot {
	p := plot{data: d, series: series, above: above, height: height}
	for _, slot := range d.Slots {
		v := float64(slot.value(series))
		p.top, p.bottom = max(p.top, v), min(p.bottom, v)
	}
	for i := range d.Slots {
		if d.Kind == Steps {
			p.top = max(p.top, d.peak(i))
		}
	}
	if p.top == p.bottom {
		p.top = 1
	}
	return p
}

// peak returns the level right after a slot's rise, before what went down.
func (d ChartData) peak(slot int) float64 { return d.before(slot) + float64(d.Slots[slot].value(1)) }

// before returns the level at which a slot begins.
func (d ChartData) before(slot int) float64 {
	if slot > 0 {
		return float64(d.Slots[slot-1].value(0))
	}
	first := d.Slots[0]
	return float64(first.value(0)) - float64(first.value(1)) + float64(first.value(2))
}

// y returns a value's distance from the top, in pixels.
func (p plot) y(value float64) float64 { return p.above + p.height*(p.top-value)/(p.top-p.bottom) }

// full returns the height of the whole drawing in pixels.
func (p plot) full() string { return pixels(p.above + p.height + belowScale) }

func (p plot) width() float64 { return float64(len(p.data.Slots)) * slotWidth }

// viewBox is the coordinate system of the lines, which the browser stretches to the window's width.
func (p plot) viewBox() string { return "0 0 " + pixels(p.width()) + " " + p.full() }

// line returns the path of the stepped line, and of the area between it and zero.
func (p plot) line() (path, area string) {
	var b strings.Builder
	b.WriteString("M0 " + pixels(p.y(p.data.before(0))))
	for i, slot := range p.data.Slots {
		b.WriteString("H" + pixels((float64(i)+0.5)*slotWidth))
		if slot.value(1) > 0 {
			b.WriteString("V" + pixels(p.y(p.data.peak(i))))
		}
		b.WriteString("V" + pixels(p.y(float64(slot.value(0)))))
	}
	b.WriteString("H" + pixels(p.width()))
	zero := pixels(p.y(0))
	return b.String(), b.String() + "V" + zero + "H0Z"
}

// bar is one rectangle of the drawing.
type bar struct{ X, Y, Width, Height string }

func (p plot) bars() []bar {
	var drawn []bar
	for i, slot := range p.data.Slots {
		v := float64(slot.value(p.series))
		if v == 0 {
			continue
		}
		top, bottom := p.y(max(v, 0)), p.y(min(v, 0))
		if bottom-top < barMinimum && v > 0 {
			top = bottom - barMinimum
		}
		drawn = append(drawn, bar{pixels(float64(i)*slotWidth + barInset), pixels(top), pixels(slotWidth - 2*barInset),
			pixels(max(bottom-top, barMinimum))})
	}
	return drawn
}

// rises returns the labels of the second series, the latest first, as far as they do not touch on a narrow screen.
func (p plot) rises(ctx context.Context) []mark {
	var marks []mark
	free := narrowest // left edge of the label to the right
	for i, slot := range slices.Backward(p.data.Slots) {
		rise := slot.value(1)
		if rise <= 0 {
			continue
		}
		m := mark{X: p.share(i), Y: pixels(p.y(p.data.peak(i)) - textHeight), Anchor: "middle",
			Text: SignedCredits(ctx, models.Credits(rise))}
		width := float64(utf8.RuneCountInString(m.Text)) * charWidth
		left := (float64(i)+0.5)/float64(len(p.data.Slots))*narrowest - width/2
		switch {
		case left < 0:
			left, m.Anchor = left+width/2, "start"
		case left+width > narrowest:
			left, m.Anchor = left-width/2, "end"
		}
		if left+width <= free {
			marks, free = append(marks, m), left-charWidth
		}
	}
	return marks
}

// left returns where a slot begins, in percent of the width.
func (p plot) left(slot int) string {
	return pixels(float64(slot)*100/float64(len(p.data.Slots))) + "%"
}

// share returns the middle of a slot in percent of the width.
func (p plot) share(slot int) string {
	return pixels((float64(slot)+0.5)*100/float64(len(p.data.Slots))) + "%"
}

// scale returns the labels at the left: the largest value, zero, and the smallest below zero.
func (p plot) scale(ctx context.Context) []mark {
	values := []float64{p.top, 0}
	if p.bottom < 0 {
		values = append(values, p.bottom)
	}
	marks := make([]mark, len(values))
	for i, v := range values {
		marks[i] = mark{X: "0", Y: pixels(p.y(v) + textHeight), Text: p.data.text(ctx, p.series, int64(v))}
	}
	return marks
}

// last returns the label of the last value, at the end of the drawing.
func (p plot) last(ctx context.Context) mark {
	v := p.data.Slots[len(p.data.Slots)-1].value(p.series)
	return mark{X: "6", Y: pixels(p.y(float64(v)) + textHeight), Text: p.data.text(ctx, p.series, v)}
}

// gutter returns the width in pixels of the column that holds these labels.
func gutter(marks ...mark) string {
	longest := 0
	for _, m := range marks {
		longest = max(longest, utf8.RuneCountInString(m.Text))
	}
	return pixels(float64(longest)*charWidth + 10)
}

// reading says what a slot shows, for the pointer.
func (p plot) reading(ctx context.Context, slot int) string {
	s := p.data.Slots[slot]
	text := s.Name + ": " + p.data.text(ctx, p.series, s.value(p.series))
	if p.data.Kind == Steps {
		for series, sign := range []int64{1: 1, 2: -1} {
			if v := s.value(series); sign != 0 && v != 0 {
				text += " · " + SignedCredits(ctx, models.Credits(sign*v))
			}
		}
	}
	return text
}

// text formats a value of a series.
func (d ChartData) text(ctx context.Context, series int, value int64) string {
	if currency := d.Series[series].Currency; currency != "" {
		return Money(ctx, models.Cents(value), currency)
	}
	return Credits(ctx, models.Credits(value))
}

// panelTitle returns the name of a panel: the chart's, with the series' where each has a panel.
func (d ChartData) panelTitle(series int) string {
	if d.Kind == Steps {
		return d.Title
	}
	return d.Title + ": " + d.Series[series].Name
}

// labels returns the first, the middle and the last label. A phone shows the outer ones.
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

func (s ChartSlot) value(series int) int64 {
	if series >= len(s.Values) {
		return 0
	}
	return s.Values[series]
}

// pixels formats a length with a decimal place at most.
func pixels(n float64) string {
	return strings.TrimSuffix(strconv.FormatFloat(n, 'f', 1, 64), ".0")
}
