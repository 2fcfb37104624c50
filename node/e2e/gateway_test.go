package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cairn-ledger/cairn/client"
	"github.com/cairn-ledger/cairn/client/rest"
)

// gatewayKills is how often the gateway's node is killed while it takes events.
const gatewayKills = 4

// postBatch sends a batch through a node's gateway; status is 0 where nothing answered.
func postBatch(node *node, token, query string, body []byte) (status int, out rest.Submission) {
	request, err := http.NewRequest(http.MethodPost, node.API+"/v1/events"+query, bytes.NewReader(body))
	if err != nil {
		return 0, out
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Content-Type", "application/cloudevents-batch+json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, out
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || json.Unmarshal(text, &out) != nil {
		return 0, out
	}
	return response.StatusCode, out
}

func batchOf(producer, from, count int) []byte {
	var parts []string
	for i := from; i < from+count; i++ {
		parts = append(parts, fmt.Sprintf(`{"specversion":"1.0","id":"%d","source":"/sensor%d","type":"reading.v1","subject":"s","data":{"n":%d}}`, i, producer, i))
	}
	return []byte("[" + strings.Join(parts, ",") + "]")
}

// Whatever was answered 202 is on the ledger, and a subscription on the same
// node sees all of it, each sensor's in order, while the node is killed again
// and again. Producers send again what was not answered.
func TestKilledGatewayLosesNothing(t *testing.T) {
	nw := startNetwork(t, 4)
	gate := nw.nodes[0]
	token := strings.TrimSpace(run(t, binary(t, "cairnd"), "token", "add", "test", "--home", gate.Home, "--scope", "produce,consume"))
	const producers, perBatch = 4, 50
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	c := nw.connect()
	subs := c.Subscriptions(gate.API, token)
	if _, err := subs.Create(ctx, rest.NewSubscription{Name: "all", From: "beginning"}); err != nil {
		t.Fatal(err)
	}
	var taken [producers]atomic.Int64 // events of each that were answered 202
	var killing atomic.Bool
	killing.Store(true)
	var work sync.WaitGroup
	for p := range producers {
		work.Go(func() {
			for from := 0; killing.Load() && ctx.Err() == nil; {
				status, _ := postBatch(gate, token, "", batchOf(p, from, perBatch))
				if status != http.StatusAccepted {
					time.Sleep(50 * time.Millisecond)
					continue
				}
				from += perBatch
				taken[p].Store(int64(from))
				time.Sleep(5 * time.Millisecond)
			}
		})
	}
	for range gatewayKills {
		time.Sleep(time.Second + rand.N(time.Second))
		nw.kill(gate)
		nw.start(gate)
		nw.waitReady()
	}
	killing.Store(false)
	work.Wait()
	want, total := map[string]int{}, 0
	for p := range producers {
		want[fmt.Sprintf("/sensor%d", p)] = int(taken[p].Load())
		total += int(taken[p].Load())
	}
	repeats := followAll(t, ctx, subs, want)
	t.Logf("%d events answered 202, %d deliveries repeated, node killed %d times", total, repeats, gatewayKills)
}

// followAll reads the subscription until it has shown of each source as many
// events as wanted, in order and without holes; later repeats are counted. A
// source may have more of them: the answer to its last batch died with the node.
func followAll(t *testing.T, ctx context.Context, subs *client.Subscriptions, want map[string]int) (repeats int) {
	t.Helper()
	next, missing := map[string]int{}, 0
	for _, n := range want {
		missing += n
	}
	err := subs.Each(ctx, "all", client.Follow{Limit: 1000, Wait: 5 * time.Second}, func(e rest.Delivered) error {
		var data struct{ N int }
		if err := json.Unmarshal(e.Event.Data, &data); err != nil {
			return err
		}
		switch at := next[e.Event.Source]; {
		case data.N == at:
			next[e.Event.Source]++
			if at < want[e.Event.Source] {
				missing--
			}
		case data.N < at:
			repeats++
		default:
			return fmt.Errorf("%s: %d follows %d", e.Event.Source, data.N, at-1)
		}
		if missing == 0 {
			return client.ErrDone
		}
		return nil
	})
	if err != nil {
		t.Errorf("seen %v of %v: %v", next, want, err)
	}
	return repeats
}
