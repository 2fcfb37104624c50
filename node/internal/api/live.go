package api

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
)

// live is an answer that goes on: server-sent events, until the client leaves.
// next waits for the next lines; none means that nothing happened for a while.
type live func(ctx context.Context) (lines []sse, last bool, err error)

// sse is one server-sent event.
type sse struct {
	id   string
	name string // of a kind other than "message"
	data []byte
}

const (
	liveWriteTimeout = 10 * time.Second // a reader that takes longer is cut off; it resumes where it was
	liveBeat         = 15 * time.Second // between signs of life
)

// maxLive is how many answers go on at once.
const maxLive = 1024

// tell writes a live answer. While it does, the connection may be given up for
// another: whoever holds many open does not keep others out.
func (s *Server) tell(w http.ResponseWriter, r *http.Request, next live) int {
	select {
	case s.lives <- struct{}{}:
		defer func() { <-s.lives }()
	default:
		return s.refuse(w, protocol.Refuse(protocol.CodeBusy, "%d clients are being told of events as they come; ask with wait instead", cap(s.lives)))
	}
	control := http.NewResponseController(w)
	control.SetReadDeadline(time.Time{}) // an error means there is no connection, as in tests
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	control.SetWriteDeadline(time.Now().Add(liveWriteTimeout))
	w.WriteHeader(http.StatusOK)
	if control.Flush() != nil {
		return http.StatusOK
	}
	for r.Context().Err() == nil {
		ctx, cancel := context.WithTimeout(r.Context(), liveBeat)
		lines, last, err := next(ctx)
		cancel()
		if err != nil {
			code, _ := protocol.CodeOf(s.fault(r, err))
			lines, last = []sse{{name: "error", data: fmt.Appendf(nil, `{"code":%d,"name":%q}`, code, code.Name())}}, true
		}
		var out bytes.Buffer
		for _, line := range lines {
			if line.name != "" {
				fmt.Fprintf(&out, "event: %s\n", line.name)
			}
			if line.id != "" {
				fmt.Fprintf(&out, "id: %s\n", line.id)
			}
			for text := range bytes.SplitSeq(line.data, []byte("\n")) {
				fmt.Fprintf(&out, "data: %s\n", bytes.ReplaceAll(text, []byte("\r"), []byte(" "))) // as JSON, it is white space
			}
			out.WriteByte('\n')
		}
		if len(lines) == 0 {
			out.WriteString(":\n\n")
		}
		control.SetWriteDeadline(time.Now().Add(liveWriteTimeout))
		if _, err := w.Write(out.Bytes()); err != nil || control.Flush() != nil || last {
			break
		}
	}
	return http.StatusOK
}

// statusStream tells of a transaction's states until it is decided.
func (s *Server) statusStream(r *request) (any, error) {
	id, err := protocol.ParseHash(r.PathValue("id"))
	if err != nil {
		return nil, protocol.Refuse(protocol.CodeBadRequest, "transaction id: %v", err)
	}
	var told rest.State
	return live(func(ctx context.Context) ([]sse, bool, error) {
		wait := liveBeat
		if told == "" {
			wait = 0
		}
		for {
			status, err := s.backend.Status(ctx, id, wait)
			if err != nil {
				return nil, false, err
			}
			final := status.State == rest.StateCommitted || status.State == rest.StateRefused
			if status.State != told || final {
				told = status.State
				line, err := marshalLine(status)
				return []sse{{name: string(status.State), data: line}}, final, err
			}
			select { // unknown to this node: it answers early
			case <-ctx.Done():
				return nil, false, nil
			case <-time.After(500 * time.Millisecond):
			}
		}
	}), nil
}

// lastEventID is where a client that lost its connection goes on.
func (r *request) lastEventID() (index uint64, ok bool, err error) {
	text := r.Header.Get("Last-Event-ID")
	if text == "" {
		return 0, false, nil
	}
	index, err = strconv.ParseUint(text, 10, 62)
	if err != nil {
		return 0, false, protocol.Refuse(protocol.CodeBadRequest, "Last-Event-ID: %q is not an entry's index", clip(text))
	}
	return index + 1, true, nil
}
