package cosign

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/cairn-ledger/cairn/client/proof"
	"github.com/cairn-ledger/cairn/client/rest"
)

// roundTime bounds one round of collecting: a peer that does not answer within
// it is left out.
const roundTime = 3 * time.Second

// maxPeerAnswer bounds what is read of a peer or a witness.
const maxPeerAnswer = 64 << 10

// collectForever collects for the newest checkpoint, a round at a time.
func (k *Keeper) collectForever(ctx context.Context) {
	for {
		changed, due := k.due()
		var wait <-chan time.Time
		if due {
			k.round(ctx)
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

// due says whether a round can bring more than is served.
func (k *Keeper) due() (changed <-chan struct{}, due bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.signed) == 0 {
		return k.changed, false
	}
	newest := k.signed[len(k.signed)-1].Size
	return k.changed, k.served == nil || !k.served.Quorum || k.served.Size < newest
}

// round asks peers and witnesses about this node's newest checkpoint and
// publishes what they say.
func (k *Keeper) round(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, roundTime)
	defer cancel()
	own, err := k.Cosignature(ctx, 0)
	if err != nil {
		return
	}
	checkpoint := proof.Checkpoint{Origin: k.Cosigners().Origin(), Size: own.Size, Root: own.Root}
	answers := make([]*rest.Cosignature, len(k.config.Peers))
	lines := make([][]proof.NoteSignature, len(k.config.Witnesses))
	var asked sync.WaitGroup
	for i, peer := range k.config.Peers {
		asked.Go(func() {
			s, err := k.askPeer(ctx, peer, own.Size)
			if err == nil {
				err = k.verify(checkpoint, s)
			}
			if err != nil {
				k.config.Log.Debug("peer did not cosign", "peer", peer, "size", own.Size, "err", err)
				return
			}
			answers[i] = s
		})
	}
	for i := range k.config.Witnesses {
		asked.Go(func() {
			line, err := k.askWitness(ctx, &k.config.Witnesses[i], k.collected([]rest.Cosignature{own}, nil))
			if err != nil {
				k.config.Log.Warn("witness did not cosign", "witness", k.config.Witnesses[i].URL, "size", own.Size, "err", err)
				return
			}
			lines[i] = line
		})
	}
	asked.Wait()
	signatures := []rest.Cosignature{own}
	for _, s := range answers {
		if s != nil {
			signatures = append(signatures, *s)
		}
	}
	var witnessed []proof.NoteSignature
	for _, l := range lines {
		witnessed = append(witnessed, l...)
	}
	k.publish(k.collected(signatures, witnessed))
}

// publish replaces what is served, but never a quorum by less, nor a greater
// log by a smaller one.
func (k *Keeper) publish(c *Collected) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if old := k.served; old != nil && (old.Size > c.Size || old.Quorum && !c.Quorum) {
		return
	}
	k.served = c
	k.notify()
}

func (k *Keeper) askPeer(ctx context.Context, peer string, size uint64) (*rest.Cosignature, error) {
	body, status, err := k.do(ctx, http.MethodGet, fmt.Sprintf("%s/log/cosignature?size=%d", strings.TrimSuffix(peer, "/"), size), nil)
	if err != nil {
		return nil, err
	}
	if status != http.StatusOK {
		return nil, fmt.Errorf("status %d: %.200s", status, body)
	}
	s := new(rest.Cosignature)
	return s, json.Unmarshal(body, s)
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
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxPeerAnswer))
	return answer, response.StatusCode, err
}
