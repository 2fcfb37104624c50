package main

// point is a place in ten-millionths of a degree: about a centimetre.
type point struct{ lat, lon int32 }

const (
	degree   = 10_000_000
	halfTurn = 180 * degree
)

// placed says whether a latitude and longitude are on the globe.
func placed(lat, lon int64) bool {
	return -90*degree <= lat && lat <= 90*degree && -halfTurn <= lon && lon <= halfTurn
}

// area is a circle or, without a radius, a box from its south-west corner to
// its north-east one. A box whose west is east of its east crosses the date line.
type area struct {
	centre   point // or the south-west corner
	far      point // the north-east corner
	radiusM  int64
	isCircle bool
}

// holds says whether a place lies in the area, its edge included.
func (a *area) holds(p point) bool {
	if a.isCircle {
		return a.near(p)
	}
	if p.lat < a.centre.lat || p.lat > a.far.lat {
		return false
	}
	if a.centre.lon <= a.far.lon {
		return a.centre.lon <= p.lon && p.lon <= a.far.lon
	}
	return p.lon >= a.centre.lon || p.lon <= a.far.lon
}

// perHundredKm is how many ten-millionths of a degree of latitude are 100 km,
// on a sphere of 6,371,008.8 m.
const perHundredKm = 8_993_204

// near measures on the flat map that is true at the middle latitude of both
// places: up to 100 km and 75 degrees of latitude it is off by less than
// 3 in 1,000 (geo_test.go).
func (a *area) near(p point) bool {
	reach := a.radiusM * perHundredKm / 100_000
	dy := abs(int64(p.lat) - int64(a.centre.lat))
	if dy > reach {
		return false
	}
	dx := abs(int64(p.lon) - int64(a.centre.lon))
	dx = min(dx, 2*halfTurn-dx)
	dx = dx * cosine((int64(p.lat)+int64(a.centre.lat))/2) >> 30
	if dx > reach {
		return false
	}
	return dx*dx+dy*dy <= reach*reach
}

func abs(v int64) int64 { return max(v, -v) }

// cosine is 2^30 times the cosine of a latitude in ten-millionths of a degree,
// by its series at half the angle: cos 2x = 2 (cos x)^2 - 1.
func cosine(lat int64) int64 {
	const one = 1 << 30
	const halfAngle = 1_006_113_814 // 2^60 pi / 3,600,000,000
	x := abs(lat) * halfAngle >> 30
	square := x * x >> 30
	// cos x = 1 - x^2/2 (1 - x^2/12 (1 - x^2/30 (1 - x^2/56)))
	v := one - square/56
	v = one - square/30*v>>30
	v = one - square/12*v>>30
	v = one - square/2*v>>30
	return 2*(v*v>>30) - one
}
