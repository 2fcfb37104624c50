package api

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
)

// request is an HTTP request whose parameters are read strictly: unknown,
// repeated and badly escaped ones are refused instead of ignored.
type request struct {
	*http.Request
	params url.Values
	body   []byte // of a route that takes one
}

// anyParams marks a route whose parameters its handler names.
var anyParams = []string{"*"}

func newRequest(r *http.Request, known []string) (*request, error) {
	params, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, protocol.Refuse(protocol.CodeBadRequest, "the query is not well escaped: %v", err)
	}
	for name, values := range params {
		if len(values) > 1 {
			return nil, protocol.Refuse(protocol.CodeBadRequest, "parameter %q is given %d times", clip(name), len(values))
		}
		if !slices.Equal(known, anyParams) && !slices.Contains(known, name) {
			return nil, protocol.Refuse(protocol.CodeBadRequest, "parameter %q is not one of this path; docs/api.md lists them", clip(name))
		}
	}
	return &request{Request: r, params: params}, nil
}

// uint reads a parameter of the query; absent, it is the fallback.
func (r *request) uint(name string, fallback, least, most uint64) (uint64, error) {
	if !r.params.Has(name) {
		return fallback, nil
	}
	return parseUint(name, r.params.Get(name), least, most)
}

const maxIndex = 1<<63 - 1

// index reads the log index in the path.
func (r *request) index() (uint64, error) {
	return parseUint("index", r.PathValue("index"), 0, maxIndex)
}

// height reads ?height=; 0 is the newest.
func (r *request) height() (uint64, error) { return r.uint("height", 0, 0, maxIndex) }

// stream reads a producer and a stream's name in the path.
func (r *request) stream() (producer protocol.Address, name string, err error) {
	producer, err = protocol.ParseAddress(r.PathValue("producer"))
	if err != nil {
		return producer, "", protocol.Refuse(protocol.CodeBadRequest, "producer: %v", err)
	}
	name = r.PathValue("name")
	return producer, name, protocol.CheckStreamName(name)
}

// wait reads ?wait=5s.
func (r *request) wait() (time.Duration, error) {
	if !r.params.Has("wait") {
		return 0, nil
	}
	text := r.params.Get("wait")
	wait, err := time.ParseDuration(text)
	if err != nil || wait < 0 || wait > maxWait {
		return 0, protocol.Refuse(protocol.CodeBadRequest, "wait: %q must be a duration of at most %s, such as 5s", clip(text), maxWait)
	}
	return wait, nil
}

// minHeight reads the height that whoever asks has heard of.
func (r *request) minHeight() (uint64, error) {
	text := r.Header.Get(rest.HeaderMinHeight)
	if text == "" {
		return 0, nil
	}
	return parseUint("header "+rest.HeaderMinHeight, text, 0, maxIndex)
}

func parseUint(name, text string, least, most uint64) (uint64, error) {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil || n < least || n > most {
		return 0, protocol.Refuse(protocol.CodeBadRequest, "%s: %q must be a whole number from %d to %d", name, clip(text), least, most)
	}
	return n, nil
}

func clip(s string) string { return s[:min(len(s), 80)] }

// freeBytes is what one request or answer may hold outside the budgets.
const freeBytes = 64 << 10

// readBody reads a body. Memory grows with what has arrived, not with
// what is announced, and beyond freeBytes it is drawn from the budget. free
// gives that back; call it in any case.
func (s *Server) readBody(r *request) (free func(), err error) {
	var taken int64
	free = func() { s.bodies.give(taken) }
	if r.ContentLength > protocol.MaxTxBytes {
		return free, errBodyTooLarge
	}
	buf := make([]byte, 0, 4<<10)
	for {
		if len(buf) == cap(buf) {
			size := int64(min(2*cap(buf), protocol.MaxTxBytes+1))
			if size > freeBytes {
				if !s.bodies.take(size - taken) {
					return free, protocol.Refuse(protocol.CodeBusy, "this node is reading as many large requests as it can; send it again in a second")
				}
				taken = size
			}
			buf = append(make([]byte, 0, size), buf...)
		}
		n, err := r.Body.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		switch {
		case len(buf) > protocol.MaxTxBytes:
			return free, errBodyTooLarge
		case errors.Is(err, io.EOF):
			r.body = buf
			return free, nil
		case err != nil:
			return free, protocol.Refuse(protocol.CodeBadRequest, "the body could not be read: %v", err)
		}
	}
}

var errBodyTooLarge = protocol.Refuse(protocol.CodeTooLarge, "the body is over %d bytes; send fewer events in a batch", protocol.MaxTxBytes)
