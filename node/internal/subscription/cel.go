package subscription

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/env"
	"cel.dev/cel-go/common/types"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// Limits of CEL expressions. A cost of 1 is about an operation; a comparison of
// two attributes costs 3. What stays uncounted, such as deep equality, is
// bounded by the event's size for each operation.
const (
	maxExpressions     = 8 // of one subscription
	maxExpressionBytes = 1 << 10
	maxExpressionDepth = 24
	maxExpressionCost  = 2_000
)

// The language is CEL's standard library without regular expressions, whose
// time is not bounded by the cost that is counted.
var celEnv = sync.OnceValues(func() (*cel.Env, error) {
	text := func(name string) cel.EnvOption { return cel.Variable(name, cel.StringType) }
	return cel.NewCustomEnv(
		cel.StdLib(cel.StdLibSubset(&env.LibrarySubset{ExcludeFunctions: []*env.Function{env.NewFunction("matches")}})),
		cel.ParserExpressionSizeLimit(maxExpressionBytes), cel.ParserRecursionLimit(maxExpressionDepth),
		cel.CrossTypeNumericComparisons(true), cel.DefaultUTCTimeZone(true),
		text("id"), text("source"), text("type"), text("subject"), text("datacontenttype"), text("dataschema"), text("specversion"),
		cel.Variable("time", cel.TimestampType), cel.Variable("ext", cel.MapType(cel.StringType, cel.DynType)), cel.Variable("data", cel.DynType),
	)
})

// compileCEL reads {"cel":"data.kwh > 3.0"}. An expression that fails on an
// event, as on a member that is not there, is false of it.
func (c *compiler) compileCEL(body json.RawMessage) (filter, error) {
	var source string
	if err := strict(body, &source); err != nil || source == "" {
		return nil, protocol.Refuse(protocol.CodeBadRequest, `filters: cel takes an expression as text, such as {"cel":"data.kwh > 3.0"}`)
	}
	if c.expressions++; c.expressions > maxExpressions || len(source) > maxExpressionBytes {
		return nil, protocol.Refuse(protocol.CodeBadRequest, "filters: at most %d expressions of at most %d bytes", maxExpressions, maxExpressionBytes)
	}
	env, err := celEnv()
	if err != nil {
		return nil, err
	}
	ast, issues := env.Compile(source)
	if first := issues.Errors(); len(first) > 0 {
		at, where := first[0].Location, ""
		if at.Line() > 0 {
			where = fmt.Sprintf("line %d, column %d: ", at.Line(), at.Column()+1)
		}
		return nil, protocol.Refuse(protocol.CodeBadRequest, "filters: cel: %s%.200s", where, first[0].Message)
	}
	if t := ast.OutputType(); !t.IsExactType(cel.BoolType) && !t.IsExactType(cel.DynType) {
		return nil, protocol.Refuse(protocol.CodeBadRequest, "filters: cel: line 1, column 1: the expression is of type %s and must be true or false", t)
	}
	program, err := env.Program(ast, cel.CostLimit(maxExpressionCost))
	if err != nil {
		return nil, protocol.Refuse(protocol.CodeBadRequest, "filters: cel: %.200v", err)
	}
	return func(e *protocol.Event) bool {
		value, _, err := program.Eval(&variables{event: e})
		wanted, isBool := value.(types.Bool)
		if err != nil || !isBool {
			c.failed()
			return false
		}
		return bool(wanted)
	}, nil
}

// variables are an event's, as far as an expression asks for them.
type variables struct {
	event *protocol.Event
	data  any
	read  bool // data is set
}

// Parent answers that there are no others.
func (*variables) Parent() cel.Activation { return nil }

// ResolveName answers a variable's value.
func (v *variables) ResolveName(name string) (any, bool) {
	switch name {
	case "data":
		if !v.read {
			v.data, v.read = dataOf(v.event), true
		}
		return v.data, true
	case "ext":
		out := make(map[string]any, len(v.event.Extensions))
		for _, x := range v.event.Extensions {
			switch x.Kind {
			case protocol.ExtensionBool:
				out[x.Name] = x.Bool
			case protocol.ExtensionInteger:
				out[x.Name] = int64(x.Int)
			default:
				out[x.Name] = x.Text
			}
		}
		return out, true
	case "time":
		if !v.event.HasTime {
			return nil, false
		}
		return time.Unix(0, v.event.TimeNs).UTC(), true
	case "id", "source", "type", "subject", "datacontenttype", "dataschema", "specversion":
		text, _ := attribute(v.event, name) // absent is empty
		return text, true
	}
	return nil, false
}

// dataOf is an event's JSON data: numbers are int where they are whole and
// fit, else double. Other data are null.
func dataOf(e *protocol.Event) any {
	kind, _, _ := strings.Cut(e.DataContentType, ";")
	if e.DataForm != protocol.DataJSON && !strings.HasSuffix(strings.ToLower(strings.TrimSpace(kind)), "json") {
		return nil
	}
	decoder := json.NewDecoder(bytes.NewReader(e.Data))
	decoder.UseNumber()
	var out any
	if decoder.Decode(&out) != nil {
		return nil
	}
	return numbered(out)
}

func numbered(value any) any {
	switch v := value.(type) {
	case json.Number:
		if n, err := strconv.ParseInt(v.String(), 10, 64); err == nil {
			return n
		}
		n, err := v.Float64()
		if err != nil {
			return fmt.Sprint(v)
		}
		return n
	case []any:
		for i := range v {
			v[i] = numbered(v[i])
		}
	case map[string]any:
		for name := range v { // order does not matter: each is replaced by its own
			v[name] = numbered(v[name])
		}
	}
	return value
}
