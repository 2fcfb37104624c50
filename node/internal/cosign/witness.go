package cosign

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/cairn-ledger/cairn/client/proof"
)

// Witness is someone outside who watches that the log only grows, and says so
// by cosigning: C2SP tlog-witness.
type Witness struct {
	Key *proof.VerifierKey
	URL string // submission prefix

	size *atomic.Uint64 // of the last checkpoint it cosigned, as far as is known
}

// ParseWitness reads "vkey URL".
func ParseWitness(text string) (Witness, error) {
	vkey, prefix, _ := strings.Cut(text, " ")
	key, err := proof.ParseVerifierKey(vkey)
	if err != nil {
		return Witness{}, err
	}
	if u, err := url.Parse(prefix); err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return Witness{}, fmt.Errorf("%q is not an http or https URL", prefix)
	}
	return Witness{Key: key, URL: strings.TrimSuffix(prefix, "/"), size: new(atomic.Uint64)}, nil
}

// askWitness submits a checkpoint. A witness that has seen another size than
// is known here says so, and is asked once more from there.
func (k *Keeper) askWitness(ctx context.Context, w *Witness, c *Collected) ([]proof.NoteSignature, error) {
	for range 2 {
		old := w.size.Load()
		if old > c.Size {
			return nil, fmt.Errorf("it has seen %d entries, this checkpoint has %d", old, c.Size)
		}
		body := fmt.Appendf(nil, "old %d\n", old)
		if old > 0 && old < c.Size {
			path, err := k.ledger.ConsistencyProof(old, c.Size)
			if err != nil {
				return nil, err
			}
			for _, h := range path {
				body = append(base64.StdEncoding.AppendEncode(body, h[:]), '\n')
			}
		}
		body = append(append(body, '\n'), c.Marshal()...)
		answer, status, err := k.do(ctx, http.MethodPost, w.URL+"/add-checkpoint", bytes.NewReader(body))
		if err != nil {
			return nil, err
		}
		switch status {
		case http.StatusOK:
			w.size.Store(c.Size)
			return w.cosignatures(c.Checkpoint, answer)
		case http.StatusConflict:
			size, err := strconv.ParseUint(strings.TrimSuffix(string(answer), "\n"), 10, 63)
			if err != nil || size == old {
				return nil, fmt.Errorf("it refuses the checkpoint of %d entries after %d: %.200s", c.Size, old, answer)
			}
			w.size.Store(size)
		default:
			return nil, fmt.Errorf("status %d: %.200s", status, answer)
		}
	}
	return nil, errors.New("it names another size each time")
}

// cosignatures keeps of an answer the lines of the witness's key, which must hold.
func (w *Witness) cosignatures(c proof.Checkpoint, answer []byte) ([]proof.NoteSignature, error) {
	lines, err := proof.ParseSignatureLines(answer)
	if err != nil {
		return nil, err
	}
	for _, line := range lines {
		if line.Name != w.Key.Name || line.KeyID != w.Key.ID {
			continue
		}
		if _, err := w.Key.VerifyCosignature(c, line.Bytes); err != nil {
			return nil, err
		}
		return []proof.NoteSignature{line}, nil
	}
	return nil, fmt.Errorf("its answer has no signature by %s", w.Key.Name)
}
