package scale

import (
	"container/heap"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// Simulation says what to play.
type Simulation struct {
	Districts int
	Anchors   int    // to count, after a tenth as many that are not
	Seed      uint64 // the same seed plays the same
	// Poisson lets anchors come as a Poisson process of the same rate, which the
	// closed form assumes, instead of from every district in its own time.
	Poisson bool
}

// Simulated is what came of it.
type Simulated struct {
	Anchors       int     `json:"anchors"`
	HubUse        float64 `json:"hubUse"`        // share of the time that the hub served
	QueueSeconds  float64 `json:"queueSeconds"`  // mean wait before it is served
	QueueMost     float64 `json:"queueMost"`     // the longest
	QueueLength   int     `json:"queueLength"`   // most that waited at once
	AnchorSeconds float64 `json:"anchorSeconds"` // mean, from submitting an event to its anchor final
	Anchor99      float64 `json:"anchor99"`      // 99 of 100 events are anchored in this
}

// MaxSimulated bounds a simulation: its memory and its time.
const MaxSimulated = 10_000_000

// jitter is how far a district's checkpoint may come from its due time, as a
// share of the interval: clocks and blocks are not exact.
const jitter = 0.1

// happening is an event of the simulation.
type happening struct {
	at       float64
	order    uint64 // of making: ties fall the same way every time
	district int    // that sends an anchor; -1 where the hub is done with one
}

// agenda is a heap of what is to come.
type agenda []happening

func (a agenda) Len() int { return len(a) }
func (a agenda) Less(i, j int) bool {
	return a[i].at < a[j].at || a[i].at == a[j].at && a[i].order < a[j].order
}
func (a agenda) Swap(i, j int) { a[i], a[j] = a[j], a[i] }
func (a *agenda) Push(x any)   { *a = append(*a, x.(happening)) }
func (a *agenda) Pop() any {
	last := len(*a) - 1
	x := (*a)[last]
	*a = (*a)[:last]
	return x
}

// world is the state of a simulation.
type world struct {
	c       Constants
	s       Simulation
	random  *rand.Rand
	agenda  agenda
	made    uint64
	now     float64
	queue   []arrival // the first is being served
	due     []float64 // of each district, without jitter
	before  []float64 // when it sent the checkpoint before; NaN at first
	seen    int       // anchors that the hub was done with
	busy    float64   // time it served, since counting began
	began   float64
	most    int
	waits   []float64
	anchors []float64 // from event to anchored, one event for each anchor
}

// arrival is an anchor at the hub.
type arrival struct {
	at, event float64 // event: when one of the events that it covers was submitted
	served    float64
}

// Simulate plays the anchors of all districts and the hub's queue.
func Simulate(c Constants, s Simulation) (Simulated, error) {
	p, err := Predict(c, s.Districts)
	if err != nil {
		return Simulated{}, err
	}
	if s.Anchors < 1 || s.Anchors > MaxSimulated || s.Districts > MaxSimulated {
		return Simulated{}, fmt.Errorf("scale: %d anchors of %d districts, at most %d are simulated", s.Anchors, s.Districts, MaxSimulated)
	}
	w := &world{c: c, s: s, random: rand.New(rand.NewPCG(s.Seed, 0x6361697261))}
	w.begin(p.AnchorsPerSecond)
	warm := s.Anchors / 10
	for w.seen < warm+s.Anchors {
		h := heap.Pop(&w.agenda).(happening)
		w.now = h.at
		if h.district >= 0 {
			w.arrive(h.district, p.AnchorsPerSecond)
		} else {
			w.depart(w.seen >= warm)
		}
		if w.seen == warm && w.began == 0 {
			w.began, w.busy = w.now, 0
		}
	}
	return w.result()
}

// plan puts something on the agenda.
func (w *world) plan(at float64, district int) {
	w.made++
	heap.Push(&w.agenda, happening{at, w.made, district})
}

func (w *world) begin(rate float64) {
	if w.s.Poisson {
		w.plan(w.random.ExpFloat64()/rate, 0)
		return
	}
	w.due, w.before = make([]float64, w.s.Districts), make([]float64, w.s.Districts)
	for d := range w.due {
		w.due[d] = w.random.Float64() * w.c.CheckpointSeconds
		w.before[d] = math.NaN()
		w.plan(w.due[d], d)
	}
}

// arrive is an anchor that comes to the hub, and plans its district's next one.
func (w *world) arrive(d int, rate float64) {
	covered := w.c.CheckpointSeconds
	if w.s.Poisson {
		w.plan(w.now+w.random.ExpFloat64()/rate, d)
	} else {
		if !math.IsNaN(w.before[d]) {
			covered = w.now - w.before[d]
		}
		w.before[d] = w.now
		w.due[d] += w.c.CheckpointSeconds
		off := (w.random.Float64() - 0.5) * 2 * jitter * w.c.CheckpointSeconds
		w.plan(max(w.due[d]+off, w.now), d)
	}
	// An event anywhere in the time that the checkpoint covers was final then,
	// and submitted before that.
	event := w.now - w.random.Float64()*covered - w.c.FinalSeconds
	w.queue = append(w.queue, arrival{at: w.now, event: event})
	w.most = max(w.most, len(w.queue))
	if len(w.queue) == 1 {
		w.serve()
	}
}

// serve takes up the first that waits.
func (w *world) serve() {
	w.queue[0].served = w.now
	w.plan(w.now+1/w.c.HubRate, -1)
}

// depart is the end of serving an anchor.
func (w *world) depart(counts bool) {
	done := w.queue[0]
	if w.queue = w.queue[1:]; len(w.queue) > 0 {
		w.serve()
	}
	w.seen++
	w.busy += 1 / w.c.HubRate
	if counts {
		w.waits = append(w.waits, done.served-done.at)
		w.anchors = append(w.anchors, w.now+w.c.FinalSeconds-done.event)
	}
}

func (w *world) result() (Simulated, error) {
	if len(w.waits) == 0 || w.now <= w.began {
		return Simulated{}, errors.New("scale: nothing was counted")
	}
	slices.Sort(w.anchors)
	return Simulated{
		Anchors: len(w.waits), HubUse: w.busy / (w.now - w.began), QueueSeconds: mean(w.waits), QueueMost: slices.Max(w.waits), QueueLength: w.most,
		AnchorSeconds: mean(w.anchors), Anchor99: w.anchors[(len(w.anchors)-1)*99/100],
	}, nil
}

func mean(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}
