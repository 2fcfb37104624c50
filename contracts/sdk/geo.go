package sdk

import "math/bits"

// Positions on the globe and areas of it, in integers.

// Limits of a Position, in 1e-7 degrees.
const (
	maxLat    = 900_000_000
	maxLon    = 1_800_000_000
	wholeTurn = 2 * maxLon // once around
)

// Position is a place in 1e-7 degrees, about 11 mm: as GPS receivers give
// it, and as decimal fields of scale 7 are. Lat is -90 to 90 degrees north,
// Lon -180 to 180 degrees east; -180 and 180 are the same meridian.
type Position struct{ Lat, Lon int32 }

// PositionOf answers a position, or false for one that is not on the globe.
func PositionOf(lat, lon int64) (Position, bool) {
	if lat < -maxLat || lat > maxLat || lon < -maxLon || lon > maxLon {
		return Position{}, false
	}
	return Position{int32(lat), int32(lon)}, true
}

// eastward is how far one meridian is east of another: 0 to below wholeTurn.
func eastward(from, to int32) int64 {
	d := int64(to) - int64(from)
	if d < 0 {
		d += wholeTurn
	}
	if d == wholeTurn {
		return 0
	}
	return d
}

// between is how far two meridians are apart, the shorter way: 0 to maxLon.
func between(a, b int32) int64 {
	d := eastward(a, b)
	return min(d, wholeTurn-d)
}

// diameterMm is that of a sphere of the earth's mean radius, 6371.0087714 km.
const diameterMm = 12_742_017_543

// DistanceMm is the great-circle distance on a sphere of the earth's mean
// radius, by the haversine formula, rounded down. The arithmetic is within 1 mm
// of exact up to 20,000 km, and within 20 mm between places more nearly
// opposite. The earth is no sphere: distances on the WGS 84 ellipsoid differ
// by up to 0.56 %.
func DistanceMm(a, b Position) int64 {
	// Angles are in units of half of 1e-7 degrees, so that half an angle is exact.
	dLat := magnitude(int64(a.Lat) - int64(b.Lat))
	x, y := sine(dLat), sine(uint64(between(a.Lon, b.Lon)))
	h := wideMul(x, x)
	if y > 0 {
		h = h.plus(wideMul(scaled(cosineOfLat(a), y), scaled(cosineOfLat(b), y)))
	}
	hi, lo := bits.Mul64(arcsine(h), diameterMm)
	return int64(hi<<2 | lo>>62)
}

func cosineOfLat(p Position) uint64 { return sine(quarter - 2*magnitude(int64(p.Lat))) }

// latUm is a little less than a unit of latitude in micrometres: a distance is
// not below that of the latitudes.
const latUm = 11_119

// Circle is the places within a distance of its centre, the edge included.
type Circle struct {
	Centre   Position
	RadiusMm int64
}

// Contains says whether a place is in the circle.
func (c Circle) Contains(p Position) bool {
	dLat := magnitude(int64(c.Centre.Lat) - int64(p.Lat))
	if int64(dLat*latUm/1000) > c.RadiusMm {
		return false
	}
	return DistanceMm(c.Centre, p) <= c.RadiusMm
}

// Box is the places between two latitudes and two meridians, the edges
// included. It goes from West eastward to East, so West is above East where
// the box crosses the antimeridian; -180 to 180 degrees is all around.
type Box struct{ South, West, North, East int32 }

// Contains says whether a place is in the box.
func (b Box) Contains(p Position) bool {
	if p.Lat < b.South || p.Lat > b.North {
		return false
	}
	width := eastward(b.West, b.East)
	return int64(b.East)-int64(b.West) == wholeTurn || eastward(b.West, p.Lon) <= width
}

// Where says on which side of an area's edge a place is.
type Where uint8

// The sides.
const (
	Outside Where = iota
	OnEdge
	Inside
)

// Polygon is the places that its corners enclose, by the even-odd rule where
// sides cross. The last corner joins the first. Sides are straight lines of
// latitude over longitude, as in GeoJSON, and take the shorter way around the
// globe, so that a polygon may cross the antimeridian.
type Polygon struct{ corners []Position }

// PolygonOf answers a polygon of 3 corners or more, or false where a side spans
// 180 degrees of longitude, so that its way is open, or the polygon goes
// around a pole. It keeps the slice.
func PolygonOf(corners []Position) (Polygon, bool) {
	n := len(corners)
	if n < 3 {
		return Polygon{}, false
	}
	turn, west, east := int64(0), int64(0), int64(0)
	for i := range corners {
		step := eastward(corners[i].Lon, corners[(i+1)%n].Lon)
		if step == maxLon {
			return Polygon{}, false
		}
		turn += shorter(step)
		west, east = min(west, turn), max(east, turn)
	}
	return Polygon{corners}, turn == 0 && east-west < wholeTurn
}

// shorter is the shorter way for a way eastward: negative to the west.
func shorter(eastward int64) int64 {
	if eastward > maxLon {
		return eastward - wholeTurn
	}
	return eastward
}

// Corners answers the corners; they are the polygon's own.
func (g Polygon) Corners() []Position { return g.corners }

// Contains says whether a place is inside or on the edge.
func (g Polygon) Contains(p Position) bool { return g.Locate(p) != Outside }

// Locate says where a place is, exactly. It takes time in proportion to the corners.
func (g Polygon) Locate(p Position) Where {
	if len(g.corners) == 0 {
		return Outside
	}
	// Longitudes count from the first corner, without a seam: the polygon is
	// less than once around, so a place appears twice, one of which may be in it.
	x := eastward(g.corners[0].Lon, p.Lon)
	if where := g.locate(x, int64(p.Lat)); where != Outside {
		return where
	}
	return g.locate(x-wholeTurn, int64(p.Lat))
}

// locate casts a ray eastward and counts the sides it crosses. A side holds
// its lower end and not its upper one, so that a ray through a corner counts
// once where it crosses and evenly where it touches.
func (g Polygon) locate(x, y int64) Where {
	odd := false
	x1, y1 := int64(0), int64(g.corners[0].Lat)
	for i := range g.corners {
		a, b := g.corners[i], g.corners[(i+1)%len(g.corners)]
		x2, y2 := x1+shorter(eastward(a.Lon, b.Lon)), int64(b.Lat)
		if y >= min(y1, y2) && y <= max(y1, y2) && x <= max(x1, x2) {
			straddles := (y1 > y) != (y2 > y)
			if x >= min(x1, x2) {
				// Within the side's own box, so that each product is below 2^62.
				along, across := (x2-x1)*(y-y1), (x-x1)*(y2-y1)
				if along == across {
					return OnEdge
				}
				straddles = straddles && (across < along) == (y2 > y1)
			}
			odd = odd != straddles
		}
		x1, y1 = x2, y2
	}
	if odd {
		return Inside
	}
	return Outside
}

// Position is a field of 8 bytes.
func (r *Record) Position(v *Position) {
	r.I32(&v.Lat)
	r.I32(&v.Lon)
	if _, ok := PositionOf(int64(v.Lat), int64(v.Lon)); !ok {
		r.bad = true
	}
}

// Polygon is a field of 4 bytes and 8 for each corner; one that PolygonOf
// refuses is malformed, but for the zero value.
func (r *Record) Polygon(v *Polygon) {
	n := uint32(len(v.corners))
	r.U32(&n)
	if !r.writing {
		if uint64(n) > uint64(len(r.buf))/8 {
			r.bad, n = true, 0
		}
		v.corners = make([]Position, n)
	}
	for i := range v.corners {
		r.Position(&v.corners[i])
	}
	if _, ok := PolygonOf(v.corners); !ok && n > 0 {
		r.bad = true
	}
}
