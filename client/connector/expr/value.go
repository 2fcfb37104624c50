package expr

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"time"
	_ "time/tzdata" // zones are known on machines that have no list of them
	"unicode/utf8"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// decodeJSON reads one JSON value: whole numbers become int, or uint where
// they are too large for that, others double.
func decodeJSON(text []byte) (any, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, fmt.Errorf("the value is not JSON: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("the value is not JSON: more follows it")
	}
	return numbers(value)
}

// numbers replaces the texts of numbers by numbers. encoding/json bounds the depth.
func numbers(value any) (any, error) {
	var err error
	switch v := value.(type) {
	case json.Number:
		return number(string(v))
	case map[string]any:
		for name := range v {
			if v[name], err = numbers(v[name]); err != nil {
				return nil, err
			}
		}
	case []any:
		for i := range v {
			if v[i], err = numbers(v[i]); err != nil {
				return nil, err
			}
		}
	}
	return value, nil
}

func number(text string) (any, error) {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n, nil
	}
	if n, err := strconv.ParseUint(text, 10, 64); err == nil {
		return n, nil
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return nil, fmt.Errorf("the number %.40s is out of range", text)
	}
	return f, nil
}

const (
	maxDepth       = 64                          // of data that an expression makes
	maxRenderBytes = protocol.MaxRecordBytes * 2 // an event of that size is refused anyway
)

// appendJSON writes a value as JSON, members sorted by name.
func appendJSON(out []byte, value ref.Val, depth int) ([]byte, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("is nested deeper than %d", maxDepth)
	}
	if len(out) > maxRenderBytes {
		return nil, fmt.Errorf("is longer than %d bytes", maxRenderBytes)
	}
	switch v := value.(type) {
	case types.Null:
		return append(out, "null"...), nil
	case types.Bool:
		return strconv.AppendBool(out, bool(v)), nil
	case types.Int:
		return strconv.AppendInt(out, int64(v), 10), nil
	case types.Uint:
		return strconv.AppendUint(out, uint64(v), 10), nil
	case types.Double:
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return nil, errors.New("holds a number that is none, or infinite: JSON has no such")
		}
		text, err := json.Marshal(float64(v))
		return append(out, text...), err
	case types.String:
		return appendText(out, string(v))
	case types.Bytes:
		return appendText(out, base64.StdEncoding.EncodeToString(v))
	case types.Timestamp:
		return appendText(out, v.UTC().Format(time.RFC3339Nano))
	case types.Duration:
		return appendText(out, v.Duration.String())
	case *types.Optional:
		if !v.HasValue() {
			return append(out, "null"...), nil
		}
		return appendJSON(out, v.GetValue(), depth+1)
	case traits.Mapper:
		return appendObject(out, v, depth)
	case traits.Lister:
		return appendList(out, v, depth)
	}
	return nil, fmt.Errorf("holds a value of the type %s, which JSON does not have", value.Type().TypeName())
}

func appendText(out []byte, text string) ([]byte, error) {
	if !utf8.ValidString(text) {
		return nil, errors.New("holds a text that is not UTF-8")
	}
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(text)
	return append(out, bytes.TrimSuffix(buffer.Bytes(), []byte("\n"))...), err
}

func appendObject(out []byte, m traits.Mapper, depth int) ([]byte, error) {
	var names []string
	for it := m.Iterator(); it.HasNext() == types.True; {
		name, ok := it.Next().(types.String)
		if !ok {
			return nil, errors.New("holds a map with keys that are no texts")
		}
		names = append(names, string(name))
	}
	slices.Sort(names)
	out = append(out, '{')
	for i, name := range names {
		if i > 0 {
			out = append(out, ',')
		}
		var err error
		if out, err = appendText(out, name); err != nil {
			return nil, err
		}
		if out, err = appendJSON(append(out, ':'), m.Get(types.String(name)), depth+1); err != nil {
			return nil, err
		}
	}
	return append(out, '}'), nil
}

func appendList(out []byte, l traits.Lister, depth int) ([]byte, error) {
	out = append(out, '[')
	for i, it := 0, l.Iterator(); it.HasNext() == types.True; i++ {
		if i > 0 {
			out = append(out, ',')
		}
		var err error
		if out, err = appendJSON(out, it.Next(), depth+1); err != nil {
			return nil, err
		}
	}
	return append(out, ']'), nil
}

// parseTime reads a time as Go's layouts write it, in a zone of IANA's list.
func parseTime(text, layout, zone ref.Val) ref.Val {
	t, ok1 := text.(types.String)
	l, ok2 := layout.(types.String)
	z, ok3 := zone.(types.String)
	if !ok1 || !ok2 || !ok3 {
		return types.NewErr("parseTime takes texts")
	}
	place, err := location(string(z))
	if err != nil {
		return types.NewErr("parseTime: %v", err)
	}
	at, err := time.ParseInLocation(string(l), string(t), place)
	if err != nil {
		return types.NewErr("parseTime: %q is not a time like %s", clip(string(t)), clip(string(l)))
	}
	return types.Timestamp{Time: at}
}

func parseJSON(text ref.Val) ref.Val {
	t, ok := text.(types.String)
	if !ok {
		return types.NewErr("parseJSON takes a text")
	}
	value, err := decodeJSON([]byte(t))
	if err != nil {
		return types.NewErr("parseJSON: %v", err)
	}
	return types.DefaultTypeAdapter.NativeToValue(value)
}

// hash is SHA-256 in hex.
func hash(value ref.Val) ref.Val {
	var sum [32]byte
	switch v := value.(type) {
	case types.String:
		sum = sha256.Sum256([]byte(v))
	case types.Bytes:
		sum = sha256.Sum256(v)
	default:
		return types.NewErr("sha256 takes a text or bytes")
	}
	return types.String(hex.EncodeToString(sum[:]))
}

func clip(s string) string { return s[:min(len(s), 80)] }
