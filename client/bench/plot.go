package bench

import (
	"fmt"
	"io"
	"strings"
)

// Size of the plot and of what is around its axes, in pixels.
const (
	plotWidth, plotHeight = 860, 240
	plotLeft, plotTop     = 70, 50
	plotGap               = 50
)

// curve is one line of a plot.
type curve struct {
	name, color string
	value       func(point) float64
}

// Plot writes one self-contained SVG: throughput above, latency below, over
// the time of the run.
func (r *Result) Plot(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="12">`+"\n",
		plotWidth+plotLeft+40, 2*plotHeight+plotTop+plotGap+40)
	b.WriteString(`<rect width="100%" height="100%" fill="white"/>` + "\n")
	fmt.Fprintf(&b, `<text x="%d" y="22" font-size="15">%s: %d validators, %d-byte events: %.0f/s final, p50 %.0f ms, p99 %.0f ms</text>`+"\n",
		plotLeft, r.Scenario, r.Validators, r.EventBytes, r.EventsPerSecond, r.LatencyMs.P50, r.LatencyMs.P99)
	drawn := r.Details.points
	panel(&b, plotTop, "events/s", drawn, curve{"final", "#1b6ca8", func(p point) float64 { return p.perSecond }})
	panel(&b, plotTop+plotHeight+plotGap, "ms", drawn,
		curve{"p50", "#2a8c4a", func(p point) float64 { return p.latency.P50 }},
		curve{"p95", "#d08a1d", func(p point) float64 { return p.latency.P95 }},
		curve{"p99", "#b8322a", func(p point) float64 { return p.latency.P99 }})
	b.WriteString("</svg>\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// panel draws curves over one pair of axes.
func panel(b *strings.Builder, top int, unit string, points []point, curves ...curve) {
	most, seconds := 1.0, 1.0
	for _, p := range points {
		seconds = max(seconds, p.seconds)
		for _, c := range curves {
			most = max(most, c.value(p))
		}
	}
	most = roundUp(most)
	for i := range 5 {
		y := float64(top) + float64(plotHeight)*float64(i)/4
		fmt.Fprintf(b, `<line x1="%d" y1="%.1f" x2="%d" y2="%.1f" stroke="#ddd"/><text x="%d" y="%.1f" text-anchor="end">%.0f</text>`+"\n",
			plotLeft, y, plotLeft+plotWidth, y, plotLeft-6, y+4, most*float64(4-i)/4)
		x := float64(plotLeft) + float64(plotWidth)*float64(i)/4
		fmt.Fprintf(b, `<text x="%.1f" y="%d" text-anchor="middle">%.1f s</text>`+"\n", x, top+plotHeight+16, seconds*float64(i)/4)
	}
	for i, c := range curves {
		fmt.Fprintf(b, `<polyline fill="none" stroke="%s" stroke-width="1.5" points="`, c.color)
		for _, p := range points {
			fmt.Fprintf(b, "%.1f,%.1f ", float64(plotLeft)+float64(plotWidth)*p.seconds/seconds, float64(top)+float64(plotHeight)*(1-c.value(p)/most))
		}
		fmt.Fprintf(b, `"/><text x="%d" y="%d" fill="%s">%s, %s</text>`+"\n", plotLeft+10+80*i, top-6, c.color, c.name, unit)
	}
}

// roundUp is the next number of the form 1, 2 or 5 times a power of ten.
func roundUp(x float64) float64 {
	for scale := 1.0; ; scale *= 10 {
		for _, step := range [...]float64{1, 2, 5} {
			if step*scale >= x {
				return step * scale
			}
		}
	}
}
