package main

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/cairn-ledger/cairn/client/protocol"
)

func TestCosine(t *testing.T) {
	worst := 0.0
	for lat := int64(-90 * degree); lat <= 90*degree; lat += 12_347 {
		want := math.Cos(float64(lat) / degree * math.Pi / 180)
		worst = max(worst, math.Abs(float64(cosine(lat))/(1<<30)-want))
	}
	t.Logf("off by at most %.2g", worst)
	if worst > 2e-7 {
		t.Errorf("off by up to %g", worst)
	}
}

// haversine is the distance on the sphere in metres.
func haversine(a, b point) float64 {
	rad := func(v int32) float64 { return float64(v) / degree * math.Pi / 180 }
	dLat, dLon := rad(b.lat)-rad(a.lat), rad(b.lon)-rad(a.lon)
	h := math.Pow(math.Sin(dLat/2), 2) + math.Cos(rad(a.lat))*math.Cos(rad(b.lat))*math.Pow(math.Sin(dLon/2), 2)
	return 2 * 6_371_008.8 * math.Asin(math.Sqrt(h))
}

// A place is inside or outside a circle as the sphere says, but for those
// within 3 in 1,000 of its edge; also across the date line.
func TestCircleAgainstTheSphere(t *testing.T) {
	d := rand.New(rand.NewPCG(1, 2))
	inside := 0
	for range 300_000 {
		c := point{int32(d.IntN(150*degree) - 75*degree), int32(d.Int64N(2*halfTurn+1) - halfTurn)}
		reach := 1 + d.Int64N(maxRadiusM)
		span := int(float64(reach) * 180) // units: about twice the radius
		lon := int64(c.lon) + int64(float64(d.IntN(2*span)-span)/max(0.2, math.Cos(float64(c.lat)/degree*math.Pi/180)))
		if lon > halfTurn {
			lon -= 2 * halfTurn
		} else if lon < -halfTurn {
			lon += 2 * halfTurn
		}
		p := point{c.lat + int32(d.IntN(2*span)-span), int32(lon)}
		a := area{isCircle: true, centre: c, radiusM: reach}
		distance := haversine(c, p)
		if math.Abs(distance-float64(reach)) < 0.003*float64(reach)+0.02 {
			continue
		}
		if got := a.holds(p); got != (distance < float64(reach)) {
			t.Fatalf("%v is %f m from %v: inside %d m is %v", p, distance, c, reach, got)
		} else if got {
			inside++
		}
	}
	if inside < 30_000 {
		t.Errorf("only %d were inside", inside)
	}
}

func TestBox(t *testing.T) {
	plain := area{centre: point{-10, -20}, far: point{10, 20}}
	across := area{centre: point{-10, halfTurn - 5}, far: point{10, -halfTurn + 5}}
	for _, c := range []struct {
		a    *area
		p    point
		want bool
	}{
		{&plain, point{-10, -20}, true}, {&plain, point{10, 20}, true}, {&plain, point{11, 0}, false},
		{&plain, point{-11, 0}, false}, {&plain, point{0, 21}, false}, {&plain, point{0, -21}, false},
		{&across, point{0, halfTurn}, true}, {&across, point{0, -halfTurn}, true}, {&across, point{0, halfTurn - 6}, false},
		{&across, point{0, -halfTurn + 6}, false}, {&across, point{0, 0}, false},
	} {
		if c.a.holds(c.p) != c.want {
			t.Errorf("%v in %v: want %v", c.p, *c.a, c.want)
		}
	}
}

// Addresses read and write as the ledger's own.
func TestAddress(t *testing.T) {
	d := rand.New(rand.NewPCG(3, 4))
	for range 2000 {
		var a protocol.Address
		for i := range a {
			a[i] = byte(d.Uint32())
		}
		text := a.String()
		got, ok := readAddress([]byte(text))
		if !ok || got != address(a) || string(got.text()) != text {
			t.Fatalf("%s: %v %s", text, ok, got.text())
		}
		wrong := []byte(text)
		wrong[d.IntN(len(wrong))] ^= 1 << d.IntN(7)
		_, err := protocol.ParseAddress(string(wrong))
		if _, ok := readAddress(wrong); ok != (err == nil) {
			t.Fatalf("%s: %v, the ledger says %v", wrong, ok, err)
		}
	}
}
