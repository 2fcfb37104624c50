package cosign

import (
	"context"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/cairn-ledger/cairn/client/proof"
)

// witnessTime bounds one round of asking the witnesses: one that does not answer
// within it is left out.
const witnessTime = 3 * time.Second

// maxWitnessAnswer bounds what is read of a witness.
const maxWitnessAnswer = 64 << 10

// collectForever collects for the newest checkpoint, a round at a time.
func (k *Keeper) collectForever(ctx context.Context) {
	for {
		changed, t := k.due()
		var wait <-chan time.Time
		if t != nil {
			k.round(ctx, t)
			changed, wait = nil, time.After(k.config.Every)
		}
		select {
		case <-changed:
		case <-wait:
		case <-ctx.Done():
			return
		}
	}
}

// due is the newest checkpoint, where a round can bring more than is served.
func (k *Keeper) due() (changed <-chan struct{}, t *tally) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if newest := k.newestSize(); newest > 0 && !k.reached(newest) {
		t = k.known[len(k.known)-1]
	}
	return k.changed, t
}

// reached says whether a checkpoint of a size or more with a quorum is served;
// the caller holds mu.
func (k *Keeper) reached(size uint64) bool {
	return k.served != nil && k.served.Quorum && k.served.Size >= size
}

// round has every peer asked about a checkpoint, and asks the witnesses. What
// peers answer is published as it comes, once the witnesses had their time.
func (k *Keeper) round(ctx context.Context, t *tally) {
	k.mu.Lock()
	k.asking = question{size: t.Size, more: k.asking.size > 0 && !k.reached(k.asking.size)}
	for l := range k.links {
		l.due = true
		l.rouse()
	}
	own := &tally{Checkpoint: t.Checkpoint, by: map[proof.LogKey]cosignature{}}
	s, signed := t.by[k.public]
	if signed {
		own.by[k.public] = s
	}
	submitted := k.collected(own)
	k.mu.Unlock()
	var lines []proof.NoteSignature
	if signed && len(submitted.Signatures) > 0 {
		lines = k.askWitnesses(ctx, submitted)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if t.asked = true; len(lines) > 0 {
		t.witnesses = lines
	}
	k.publish(t)
}

// askWitnesses submits a checkpoint to all of them, and answers what they sign.
func (k *Keeper) askWitnesses(ctx context.Context, c *Collected) (lines []proof.NoteSignature) {
	ctx, cancel := context.WithTimeout(ctx, witnessTime)
	defer cancel()
	answers := make([][]proof.NoteSignature, len(k.config.Witnesses))
	var asked sync.WaitGroup
	for i := range k.config.Witnesses {
		asked.Go(func() {
			line, err := k.askWitness(ctx, &k.config.Witnesses[i], c)
			if err != nil {
				k.config.Log.Warn("witness did not cosign", "witness", k.config.Witnesses[i].URL, "size", c.Size, "err", err)
				return
			}
			answers[i] = line
		})
	}
	asked.Wait()
	for _, l := range answers {
		lines = append(lines, l...)
	}
	return lines
}

func (k *Keeper) do(ctx context.Context, method, url string, body io.Reader) ([]byte, int, error) {
	request, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return nil, 0, err
	}
	response, err := k.config.HTTP.Do(request)
	if err != nil {
		return nil, 0, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxWitnessAnswer))
	return answer, response.StatusCode, err
}
