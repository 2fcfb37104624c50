package api

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"strconv"
	"strings"

	"github.com/cairn-ledger/cairn/client/proof"
	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
)

// Log serves the log as C2SP tlog-tiles says.
type Log interface {
	// Checkpoint is the newest signed checkpoint, as a note.
	Checkpoint() ([]byte, error)
	// Tile is the first width hashes of a tile, one after the other.
	Tile(level int, index uint64, width int) ([]byte, error)
	// EntryBundle is the first width entries of a bundle, each after its length.
	EntryBundle(index uint64, width int) ([]byte, error)
	// Consistency proves that one size begins with another.
	Consistency(from, to uint64) (rest.Consistency, error)
}

// static is an answer that caches may keep.
type static struct {
	raw
	cache string // Cache-Control
	zip   bool   // worth compressing
}

const (
	cacheForever = "public, max-age=31536000, immutable"
	cacheBriefly = "public, max-age=1"
	tileWidth    = 256
)

// checkpoint is the log's newest head: C2SP tlog-checkpoint.
func (s *Server) checkpoint(*request) (any, error) {
	note, err := s.backend.Checkpoint()
	return static{raw: raw{"text/plain; charset=utf-8", note}, cache: cacheBriefly}, err
}

// tile serves /log/tile/<level>/<index>[.p/<width>] and /log/tile/entries/...
func (s *Server) tile(r *request) (any, error) {
	level, index, width, err := parseTilePath(r.PathValue("path"))
	if err != nil {
		return nil, err
	}
	answer := static{raw: raw{contentType: "application/octet-stream"}, cache: cacheForever}
	if level < 0 {
		answer.zip = true
		answer.body, err = s.backend.EntryBundle(index, width)
	} else {
		answer.body, err = s.backend.Tile(level, index, width)
	}
	return answer, err
}

// parseTilePath reads the path of a tile as C2SP tlog-tiles writes it; the
// level of entries is -1.
func parseTilePath(path string) (level int, index uint64, width int, err error) {
	refused := protocol.Refuse(protocol.CodeNotFound, "%q is not the path of a tile: tile/<level>/<index>[.p/<width>]", clip(path))
	first, rest, ok := strings.Cut(path, "/")
	if !ok {
		return 0, 0, 0, refused
	}
	if level = -1; first != "entries" {
		if level, err = strconv.Atoi(first); err != nil || level < 0 || level > 63 {
			return 0, 0, 0, refused
		}
	}
	width = tileWidth
	if full, partial, cut := strings.Cut(rest, ".p/"); cut {
		rest = full
		if width, err = strconv.Atoi(partial); err != nil || width < 1 || width >= tileWidth {
			return 0, 0, 0, refused
		}
	}
	for _, digits := range strings.Split(strings.ReplaceAll(rest, "x", ""), "/") {
		n, err := strconv.ParseUint(digits, 10, 16)
		if err != nil || len(digits) != 3 || index > maxIndex/1000-1 {
			return 0, 0, 0, refused
		}
		index = index*1000 + n
	}
	if tilePath(level, index, width) != path { // one path for a tile
		return 0, 0, 0, refused
	}
	return level, index, width, nil
}

func tilePath(level int, index uint64, width int) string {
	path := fmt.Sprintf("%03d", index%1000)
	for index /= 1000; index > 0; index /= 1000 {
		path = fmt.Sprintf("x%03d/%s", index%1000, path)
	}
	if width < tileWidth {
		path += fmt.Sprintf(".p/%d", width)
	}
	if level < 0 {
		return "entries/" + path
	}
	return fmt.Sprintf("%d/%s", level, path)
}

// consistency proves that the log of one size begins with that of another.
func (s *Server) consistency(r *request) (any, error) {
	from, err := r.uint("from", 0, 0, maxIndex)
	if err != nil {
		return nil, err
	}
	to, err := r.uint("to", 0, from, maxIndex)
	if err != nil {
		return nil, err
	}
	return s.backend.Consistency(from, to)
}

// batch reads what both kinds of batch receipts are asked with.
func (r *request) batch(start string) (from uint64, count int, withhold bool, render func(renderer) (any, error), err error) {
	if from, err = r.uint(start, 0, 0, maxIndex); err != nil {
		return
	}
	n, err := r.uint("count", 1000, 1, proof.MaxBatchEntries)
	if err != nil {
		return
	}
	switch text := r.params.Get("withhold"); text {
	case "", "false":
	case "true":
		withhold = true
	default:
		err = protocol.Refuse(protocol.CodeBadRequest, "withhold: %q must be true or false", clip(text))
		return
	}
	render, err = r.receiptFormat()
	return from, int(n), withhold, render, err
}

// batchReceipt proves consecutive entries at once.
func (s *Server) batchReceipt(r *request) (any, error) {
	first, count, withhold, render, err := r.batch("first")
	if err != nil {
		return nil, err
	}
	receipt, err := s.backend.BatchReceipt(r.Context(), first, count, withhold)
	if err != nil {
		return nil, err
	}
	return render(receipt)
}

// streamReceipt proves a stream's entries at once.
func (s *Server) streamReceipt(r *request) (any, error) {
	producer, name, err := r.stream()
	if err != nil {
		return nil, err
	}
	from, count, withhold, render, err := r.batch("from")
	if err != nil {
		return nil, err
	}
	receipt, err := s.backend.StreamReceipt(r.Context(), producer, name, from, count, withhold)
	if err != nil {
		return nil, err
	}
	return render(receipt)
}

// zipped compresses a body where whoever asks reads gzip.
func zipped(accept string, body []byte) (out []byte, ok bool) {
	if !strings.Contains(accept, "gzip") {
		return body, false
	}
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	if err != nil {
		return body, false
	}
	if _, err := w.Write(body); err != nil || w.Close() != nil {
		return body, false
	}
	return b.Bytes(), true
}
