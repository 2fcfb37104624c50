package scale

import (
	"errors"
	"math"
	"testing"
)

// near fails unless got is within a share of want.
func near(t *testing.T, what string, got, want, share float64) {
	t.Helper()
	if math.Abs(got-want) > share*want {
		t.Errorf("%s: simulated %g, predicted %g, more than %.0f %% apart", what, got, want, 100*share)
	}
}

// The closed form against the simulation, from an idle hub to one that is
// nearly full. With the arrivals that it assumes, the mean wait is met; as the
// districts really send, the wait is no longer than that.
func TestClosedFormAgainstSimulation(t *testing.T) {
	c := Default()
	for _, use := range []float64{0.1, 0.3, 0.5, 0.7, 0.8, 0.9} {
		districts := int(use * c.HubRate * c.CheckpointSeconds)
		p, err := Predict(c, districts)
		if err != nil {
			t.Fatal(err)
		}
		s, err := Simulate(c, Simulation{Districts: districts, Anchors: 400_000, Seed: 1, Poisson: true})
		if err != nil {
			t.Fatal(err)
		}
		near(t, "wait", s.QueueSeconds, p.QueueSeconds, 0.05)
		near(t, "use", s.HubUse, p.HubUse, 0.01)
		near(t, "time to anchor", s.AnchorSeconds, p.AnchorSeconds, 0.01)
		real, err := Simulate(c, Simulation{Districts: districts, Anchors: 200_000, Seed: 2})
		if err != nil {
			t.Fatal(err)
		}
		if real.QueueSeconds > p.QueueSeconds*1.05 {
			t.Errorf("use %g: districts make anchors wait %g s, predicted are at most %g", use, real.QueueSeconds, p.QueueSeconds)
		}
		near(t, "use", real.HubUse, p.HubUse, 0.02)
		near(t, "time to anchor", real.AnchorSeconds, p.AnchorSeconds, 0.02)
		if real.Anchor99 > p.AnchorMost+jitter*2*c.CheckpointSeconds || real.Anchor99 < p.AnchorSeconds {
			t.Errorf("use %g: 99 of 100 events are anchored in %g s, predicted are %g on average and %g at most", use, real.Anchor99, p.AnchorSeconds, p.AnchorMost)
		}
	}
}

// The same seed plays the same, another seed another.
func TestSeeds(t *testing.T) {
	c := Default()
	play := func(seed uint64) Simulated {
		s, err := Simulate(c, Simulation{Districts: 500, Anchors: 5_000, Seed: seed})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	if play(3) != play(3) || play(3) == play(4) {
		t.Error("a seed does not settle what is played")
	}
}

// The limit is where the planned share of the hub is taken up, and what is
// beyond the hub is an error.
func TestLimit(t *testing.T) {
	c := Default()
	n, err := Limit(c)
	if err != nil {
		t.Fatal(err)
	}
	at, err := Predict(c, n)
	if err != nil || at.HubUse > c.HubShare {
		t.Errorf("%d districts use %g of the hub, %v", n, at.HubUse, err)
	}
	if more, err := Predict(c, n+1+int(c.CheckpointSeconds)); err != nil || more.HubUse <= c.HubShare {
		t.Errorf("%d districts and more use only %g of the hub, %v", n, more.HubUse, err)
	}
	if _, err := Predict(c, int(c.HubRate*c.CheckpointSeconds)+1); !errors.Is(err, ErrOverload) {
		t.Errorf("an overloaded hub: %v", err)
	}
	for _, bad := range []func(*Constants){
		func(c *Constants) { c.HubRate = 0 }, func(c *Constants) { c.HubShare = 1 }, func(c *Constants) { c.CheckpointSeconds = math.NaN() },
		func(c *Constants) { c.Validators = 1001 }, func(c *Constants) { c.EventsPerSecond = c.LedgerRate + 1 }, func(c *Constants) { c.Cores = math.Inf(1) },
	} {
		c := Default()
		bad(&c)
		if _, err := Predict(c, 1); err == nil {
			t.Errorf("%+v passes", c)
		}
	}
}
