package bench

// growthAfter is how many points a run has at least for its growth to be told:
// half a minute's.
const growthAfter = 120

// growth compares what was final a second in the first and in the last tenth
// of a run, warm-up left out: 0 and 0 where it was too short to say.
func growth(points []point, warmup float64) (first, last float64) {
	for len(points) > 0 && points[0].seconds <= warmup {
		points = points[1:]
	}
	if len(points) < growthAfter {
		return 0, 0
	}
	tenth := len(points) / 10
	mean := func(points []point) (sum float64) {
		for _, p := range points {
			sum += p.perSecond
		}
		return sum / float64(len(points))
	}
	return mean(points[:tenth]), mean(points[len(points)-tenth:])
}
