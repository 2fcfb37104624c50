package sdk

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

// exactMm is the great-circle distance by the formula that is well conditioned
// everywhere, in float64: right within some 0.00001 mm.
func exactMm(a, b Position) float64 {
	rad := func(v float64) float64 { return v * (math.Pi / 1.8e9) }
	sinA, cosA := math.Sincos(rad(float64(a.Lat)))
	sinB, cosB := math.Sincos(rad(float64(b.Lat)))
	sinL, cosL := math.Sincos(rad(float64(int64(b.Lon) - int64(a.Lon))))
	// The chord of close places, computed without cancelling.
	x, y := math.Sin(rad(float64(int64(b.Lat)-int64(a.Lat))/2)), math.Sin(rad(float64(int64(b.Lon)-int64(a.Lon))/2))
	if h := x*x + cosA*cosB*y*y; h < 0.1 {
		return diameterMm * math.Asin(math.Sqrt(h))
	}
	return diameterMm * 0.5 * math.Atan2(math.Hypot(cosB*sinL, cosA*sinB-sinA*cosB*cosL), sinA*sinB+cosA*cosB*cosL)
}

func randomPosition(r *rand.Rand) Position {
	edges := [...]int32{0, maxLat, -maxLat, maxLat - 1, maxLon, -maxLon, 1 - maxLon}
	p := Position{int32(r.Int64N(2*maxLat+1) - maxLat), int32(r.Int64N(2*maxLon+1) - maxLon)}
	if r.IntN(8) == 0 {
		p.Lat = edges[r.IntN(4)]
	}
	if r.IntN(8) == 0 {
		p.Lon = edges[r.IntN(len(edges))]
	}
	return p
}

// near answers a place some way off, down to one unit.
func near(r *rand.Rand, p Position) Position {
	step := func() int64 { return (r.Int64N(2*maxLon) - maxLon) >> r.IntN(32) }
	lat := min(max(int64(p.Lat)+step(), -maxLat), maxLat)
	lon := int64(p.Lon) + step()
	if lon > maxLon {
		lon -= wholeTurn
	} else if lon < -maxLon {
		lon += wholeTurn
	}
	return Position{int32(lat), int32(lon)}
}

// The stated bounds of the error, over all distances.
func TestDistanceErrorBound(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	worst, worstFar := 0.0, 0.0
	for i := range 400_000 {
		a := randomPosition(r)
		b := near(r, a)
		switch i % 4 {
		case 0:
			b = randomPosition(r)
		case 1: // nearly opposite
			b = near(r, Position{-a.Lat, int32(eastward(0, a.Lon)) - maxLon})
		}
		want := exactMm(a, b)
		got := DistanceMm(a, b)
		wrong := math.Abs(float64(got) - want)
		if want > 20_000e6 {
			worstFar = max(worstFar, wrong)
		} else {
			worst = max(worst, wrong)
		}
		if wrong > 20 || want <= 20_000e6 && wrong > 1.001 {
			t.Fatalf("from %v to %v: %d mm, want %.4f", a, b, got, want)
		}
		if got != DistanceMm(b, a) {
			t.Fatalf("from %v to %v and back differ", a, b)
		}
		if c := (Circle{a, int64(want) + r.Int64N(5) - 2}); c.Contains(b) != (got <= c.RadiusMm) {
			t.Fatalf("%v contains %v at %d mm: %v", c, b, got, c.Contains(b))
		}
	}
	t.Logf("worst error %.4f mm, beyond 20,000 km %.4f mm", worst, worstFar)
}

func TestKnownDistances(t *testing.T) {
	for _, c := range []struct {
		a, b     Position
		mm, give int64
	}{
		{Position{0, 0}, Position{0, 0}, 0, 0},
		{Position{0, 0}, Position{1, 0}, 11, 0},
		{Position{0, -maxLon}, Position{0, maxLon}, 0, 0},
		{Position{maxLat, 5}, Position{maxLat, 900_000_000}, 0, 0},                                      // a pole has all longitudes
		{Position{maxLat, 0}, Position{-maxLat, 0}, 20_015_114_352, 1},                                  // half a great circle
		{Position{0, 0}, Position{0, maxLon}, 20_015_114_352, 1},                                        // opposite
		{Position{525_163_000, 133_777_000}, Position{488_584_000, 22_945_000}, 878_000_000, 2_000_000}, // Berlin, Paris
	} {
		if got := DistanceMm(c.a, c.b); got < c.mm-c.give || got > c.mm+c.give {
			t.Errorf("%v to %v: %d mm, want %d", c.a, c.b, got, c.mm)
		}
	}
	if (Circle{Position{}, -1}).Contains(Position{}) || !(Circle{Position{}, math.MaxInt64}).Contains(Position{maxLat, 0}) {
		t.Error("circles of no and of any radius")
	}
}

func TestWideRoot(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	for range 200_000 {
		w := wide{r.Uint64() >> (2 + r.IntN(63)), r.Uint64() >> r.IntN(64)}
		n := new(big.Int).Lsh(new(big.Int).SetUint64(w.hi), 64)
		n.Or(n, new(big.Int).SetUint64(w.lo))
		if got := w.sqrt(); got != new(big.Int).Sqrt(n).Uint64() {
			t.Fatalf("root of %x: %x", w, got)
		}
	}
}

// Boxes against degrees walked one by one.
func TestBox(t *testing.T) {
	const unit = 10_000_000 // a degree
	for west := int32(-180); west <= 180; west += 15 {
		for east := int32(-180); east <= 180; east += 15 {
			b := Box{-10 * unit, west * unit, 10 * unit, east * unit}
			for lon := int32(-180); lon <= 180; lon += 5 {
				in := false // walk eastward from west until east
				for at := west; ; at += 5 {
					in = in || (at-lon)%360 == 0
					if (at-east)%360 == 0 && (at > west || west != east) && !(at == west && east-west == 360) {
						break
					}
					if west == east {
						break
					}
				}
				if got := b.Contains(Position{10 * unit, lon * unit}); got != in {
					t.Fatalf("box %d to %d, meridian %d: %v", west, east, lon, got)
				}
				if b.Contains(Position{10*unit + 1, lon * unit}) || b.Contains(Position{-10*unit - 1, lon * unit}) {
					t.Fatal("a box holds what is beyond its latitudes")
				}
			}
		}
	}
}

// locateRat is the definition of Locate in rationals: on a side, or an odd
// number of sides to the west. The polygon is not across the antimeridian.
func locateRat(corners []Position, p Position) Where {
	odd := false
	for i := range corners {
		a, b := corners[i], corners[(i+1)%len(corners)]
		ax, ay, bx, by := int64(a.Lon), int64(a.Lat), int64(b.Lon), int64(b.Lat)
		x, y := int64(p.Lon), int64(p.Lat)
		cross := new(big.Int).Sub(
			new(big.Int).Mul(big.NewInt(bx-ax), big.NewInt(y-ay)), new(big.Int).Mul(big.NewInt(x-ax), big.NewInt(by-ay)))
		if cross.Sign() == 0 && x >= min(ax, bx) && x <= max(ax, bx) && y >= min(ay, by) && y <= max(ay, by) {
			return OnEdge
		}
		if (ay <= y) == (by <= y) {
			continue
		}
		at := big.NewRat(y-ay, by-ay)
		at.Mul(at, big.NewRat(bx-ax, 1)).Add(at, big.NewRat(ax, 1))
		if at.Cmp(big.NewRat(x, 1)) < 0 {
			odd = !odd
		}
	}
	if odd {
		return Inside
	}
	return Outside
}

// Random polygons, of all sizes, held against rationals at random places, at
// corners and on sides; and again turned across the antimeridian.
func TestPolygonAgainstRationals(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	found := map[Where]int{}
	for range 1_500 {
		size := int64(4) << r.IntN(27) // half the width, below 45 degrees
		corners := make([]Position, 3+r.IntN(8))
		for i := range corners {
			corners[i] = Position{int32(r.Int64N(2*size+1) - size), int32(r.Int64N(2*size+1) - size)}
		}
		g, ok := PolygonOf(corners)
		if !ok {
			t.Fatalf("%v is refused", corners)
		}
		turn := int32(r.Int64N(2*maxLon) - maxLon)
		turned := func(p Position) Position {
			lon := int64(p.Lon) + int64(turn)
			if lon > maxLon || lon == maxLon && r.IntN(2) == 0 {
				lon -= wholeTurn
			} else if lon < -maxLon || lon == -maxLon && r.IntN(2) == 0 {
				lon += wholeTurn
			}
			return Position{p.Lat, int32(lon)}
		}
		var there []Position
		for _, c := range corners {
			there = append(there, turned(c))
		}
		h, ok := PolygonOf(there)
		if !ok {
			t.Fatalf("%v is refused", there)
		}
		for range 40 {
			p := Position{int32(r.Int64N(2*size+3) - size - 1), int32(r.Int64N(2*size+3) - size - 1)}
			a, b := corners[r.IntN(len(corners))], corners[0]
			switch r.IntN(6) {
			case 0:
				p = a
			case 1:
				p = Position{(a.Lat + b.Lat) / 2, (a.Lon + b.Lon) / 2}
			case 2:
				p.Lat = a.Lat // the ray goes through a corner
			}
			want := locateRat(corners, p)
			if got := g.Locate(p); got != want {
				t.Fatalf("%v in %v: %d, want %d", p, corners, got, want)
			}
			if got := h.Locate(turned(p)); got != want {
				t.Fatalf("%v in %v, turned by %d: %d, want %d", p, corners, turn, got, want)
			}
			found[want]++
		}
	}
	for where := range Inside + 1 {
		if found[where] < 3_000 {
			t.Errorf("only %d places are %d", found[where], where)
		}
	}
}

func TestPolygonLimits(t *testing.T) {
	if _, ok := PolygonOf([]Position{{0, 0}, {1, 1}}); ok {
		t.Error("two corners are a polygon")
	}
	if _, ok := PolygonOf([]Position{{0, 0}, {1, maxLon}, {5, 5}}); ok {
		t.Error("a side of 180 degrees has a way")
	}
	if _, ok := PolygonOf([]Position{{800_000_000, 0}, {800_000_000, 1_200_000_000}, {800_000_000, -1_200_000_000}}); ok {
		t.Error("a polygon around the pole is one")
	}
	// As wide as can be: nearly once around, from pole to pole.
	wide, ok := PolygonOf([]Position{
		{-maxLat, -maxLon}, {-maxLat, -1}, {-maxLat, 1_700_000_000}, {-maxLat, maxLon - 1},
		{maxLat, maxLon - 1}, {maxLat, 1_700_000_000}, {maxLat, -1}, {maxLat, -maxLon},
	})
	if !ok || !wide.Contains(Position{3, 1_750_000_000}) || wide.Locate(Position{0, -maxLon}) != OnEdge ||
		wide.Locate(Position{0, maxLon - 1}) != OnEdge || wide.Locate(Position{0, -5}) != Inside {
		t.Error("a polygon around the globe")
	}
	if (Polygon{}).Contains(Position{}) {
		t.Error("no polygon contains a place")
	}
	if _, ok := PositionOf(maxLat+1, 0); ok {
		t.Error("a place is north of the pole")
	}
	codec := RecordOf(1, func(r *Record, g *Polygon) { r.Polygon(g) })
	stored := codec.Append(nil, wide)
	if g, rest, ok := codec.Take(stored); !ok || len(rest) != 0 || len(g.Corners()) != 8 || g.Corners()[3] != wide.Corners()[3] {
		t.Errorf("stored and read: %v", g)
	}
	for n := range stored {
		if _, _, ok := codec.Take(stored[:n]); ok {
			t.Errorf("%d of %d bytes are a polygon", n, len(stored))
		}
	}
	stored[5+3] = 0x7f // a latitude beyond the pole
	if _, _, ok := codec.Take(stored); ok {
		t.Error("a place off the globe was read")
	}
}
