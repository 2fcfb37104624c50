package derive

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// Inputs is the name of the CloudEvents extension attribute by which an event
// declares the entries of the log that it was made of: indexes in ascending
// order, a run as its ends, such as "12,15-18". The ledger does not check what
// a producer declares; `cairn audit why` fetches and proves the entries.
const Inputs = "inputs"

// MaxInputs bounds how many entries an event can declare.
const MaxInputs = 256

// FormatInputs writes indexes, which ascend.
func FormatInputs(indexes []uint64) string {
	var b strings.Builder
	for i := 0; i < len(indexes); {
		end := i
		for end+1 < len(indexes) && indexes[end+1] == indexes[end]+1 {
			end++
		}
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.FormatUint(indexes[i], 10))
		if end > i {
			b.WriteByte('-')
			b.WriteString(strconv.FormatUint(indexes[end], 10))
		}
		i = end + 1
	}
	return b.String()
}

// ParseInputs reads what FormatInputs writes and nothing else.
func ParseInputs(text string) ([]uint64, error) {
	var out []uint64
	for part := range strings.SplitSeq(text, ",") {
		low, high, run := strings.Cut(part, "-")
		first, err := index(low)
		last := first
		if err == nil && run {
			last, err = index(high)
		}
		switch {
		case err != nil:
			return nil, fmt.Errorf("inputs %.40q: %w", text, err)
		case run && last <= first, len(out) > 0 && first <= out[len(out)-1]:
			return nil, fmt.Errorf("inputs %.40q: indexes must ascend", text)
		case last-first >= uint64(MaxInputs-len(out)):
			return nil, fmt.Errorf("inputs %.40q: more than %d entries", text, MaxInputs)
		}
		for i := first; i <= last; i++ {
			out = append(out, i)
		}
	}
	if FormatInputs(out) != text {
		return nil, fmt.Errorf("inputs %.40q: write runs as their ends", text)
	}
	return out, nil
}

// index reads a log index in its one form.
func index(text string) (uint64, error) {
	n, err := strconv.ParseUint(text, 10, 62)
	if err != nil || strconv.FormatUint(n, 10) != text {
		return 0, fmt.Errorf("%.20q is no index of an entry", text)
	}
	return n, nil
}

// InputsOf reads what an event declares; none where it has no such attribute.
func InputsOf(e *protocol.Event) ([]uint64, error) {
	for i := range e.Extensions {
		if x := &e.Extensions[i]; x.Name == Inputs {
			if x.Kind != protocol.ExtensionString {
				return nil, fmt.Errorf("the extension attribute %s must be a string", Inputs)
			}
			return ParseInputs(x.Text)
		}
	}
	return nil, nil
}

// Extension makes a text attribute.
func Extension(name, text string) protocol.Extension {
	return protocol.Extension{Name: name, Kind: protocol.ExtensionString, Text: text}
}

// ExactType is the filter of a subscription to the events of one type, in
// CloudEvents' dialects.
func ExactType(eventType string) []json.RawMessage {
	filter, err := json.Marshal(map[string]map[string]string{"exact": {"type": eventType}})
	if err != nil {
		panic(err) // maps of strings have JSON
	}
	return []json.RawMessage{filter}
}
