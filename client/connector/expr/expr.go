// Package expr maps foreign records to CloudEvents by expressions of the
// Common Expression Language (https://cel.dev): each attribute is one, without
// side effects, loops or access to anything but the record, and of bounded cost.
package expr

import (
	"fmt"
	"sort"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/ext"
	"go.yaml.in/yaml/v3"
)

// Bounds of expressions.
const (
	maxExpressionBytes = 16 << 10
	maxNodes           = 10_000
	// costLimit bounds the work for one expression and one record, in CEL's
	// cost units: about one for a step, and one for ten characters of a text.
	costLimit = 1_000_000
	// maxRegexProgram bounds a compiled pattern; RE2 is linear in it.
	maxRegexProgram = 10_000
)

// Text is an expression, and the line of the settings that it stands in.
type Text struct {
	Source string
	Line   int
}

// UnmarshalYAML takes any scalar as the expression's text.
func (t *Text) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind != yaml.ScalarNode {
		return fmt.Errorf("line %d: an expression is a text", node.Line)
	}
	t.Source, t.Line = node.Value, node.Line
	return nil
}

// Config is the `map` of the settings. Each Text is an expression; see docs/connect.md.
type Config struct {
	Format      string          `yaml:"format"` // json (also ""), text, bytes or cloudevents
	Filter      Text            `yaml:"filter"`
	Type        Text            `yaml:"type"`
	Source      Text            `yaml:"source"`
	ID          Text            `yaml:"id"`
	Subject     Text            `yaml:"subject"`
	Time        Text            `yaml:"time"`
	Data        Text            `yaml:"data"`
	ContentType Text            `yaml:"datacontenttype"`
	Schema      Text            `yaml:"dataschema"`
	Extensions  map[string]Text `yaml:"extensions"`
}

// Formats of a record's value.
const (
	FormatJSON        = "json"
	FormatText        = "text"
	FormatBytes       = "bytes"
	FormatCloudEvents = "cloudevents"
)

// program is a compiled expression; nil is one that was not given.
type program struct {
	name string // of the attribute
	run  cel.Program
}

// Mapping is a compiled Config. It is safe for concurrent use.
type Mapping struct {
	format                           string
	filter, typ, source, id, subject *program
	time, data, contentType, schema  *program
	extensions                       []*program // by name
	needsValue                       bool       // an expression looks at the value
}

// New compiles the expressions. needID says that the source has no position
// that an id could be made of.
func New(c Config, needID bool) (*Mapping, error) {
	m := &Mapping{format: c.Format}
	switch c.Format {
	case "":
		m.format = FormatJSON
	case FormatJSON, FormatText, FormatBytes, FormatCloudEvents:
	default:
		return nil, fmt.Errorf("map.format is %q, must be json, text, bytes or cloudevents", c.Format)
	}
	env, err := environment()
	if err != nil {
		return nil, err
	}
	for _, p := range [...]struct {
		name string
		text Text
		into **program
	}{
		{"filter", c.Filter, &m.filter}, {"type", c.Type, &m.typ}, {"source", c.Source, &m.source}, {"id", c.ID, &m.id},
		{"subject", c.Subject, &m.subject}, {"time", c.Time, &m.time}, {"data", c.Data, &m.data},
		{"datacontenttype", c.ContentType, &m.contentType}, {"dataschema", c.Schema, &m.schema},
	} {
		if p.text.Source == "" {
			continue
		}
		if m.format == FormatCloudEvents && p.name != "filter" {
			return nil, fmt.Errorf("line %d: map.%s: records of the format cloudevents have their attributes; leave it out", p.text.Line, p.name)
		}
		if *p.into, err = m.compile(env, p.name, p.text); err != nil {
			return nil, err
		}
	}
	for name, text := range c.Extensions {
		if text.Source == "" {
			return nil, fmt.Errorf("line %d: map.extensions.%s: is empty", text.Line, name)
		}
		compiled, err := m.compile(env, "extensions."+name, text)
		if err != nil {
			return nil, err
		}
		compiled.name = name
		m.extensions = append(m.extensions, compiled)
	}
	sort.Slice(m.extensions, func(i, j int) bool { return m.extensions[i].name < m.extensions[j].name })
	return m, m.complete(needID)
}

// complete refuses a mapping without what an event needs.
func (m *Mapping) complete(needID bool) error {
	if m.format == FormatCloudEvents {
		if len(m.extensions) > 0 {
			return fmt.Errorf("map.extensions: records of the format cloudevents have their attributes; leave it out")
		}
		return nil
	}
	for _, p := range [...]struct {
		name    string
		program *program
	}{{"type", m.typ}, {"source", m.source}} {
		if p.program == nil {
			return fmt.Errorf(`map.%s is missing: every event has one, such as map: {%s: '"meter.reading.v1"'}`, p.name, p.name)
		}
	}
	if needID && m.id == nil {
		return fmt.Errorf("map.id is missing: the source may deliver a record twice, and only an id of the record's own tells that, such as map: {id: 'value.meter + \"@\" + value.read'}")
	}
	return nil
}

// environment declares what expressions may use.
func environment() (*cel.Env, error) {
	return cel.NewEnv(
		cel.Variable("value", cel.DynType), cel.Variable("raw", cel.BytesType), cel.Variable("key", cel.DynType),
		cel.Variable("headers", cel.MapType(cel.StringType, cel.StringType)), cel.Variable("topic", cel.StringType),
		cel.Variable("partition", cel.IntType), cel.Variable("offset", cel.IntType), cel.Variable("position", cel.IntType),
		cel.Variable("timestamp", cel.DynType),
		cel.CrossTypeNumericComparisons(true), cel.DefaultUTCTimeZone(true), cel.OptionalTypes(),
		cel.ParserExpressionSizeLimit(maxExpressionBytes), cel.ExpressionNodeLimit(maxNodes), cel.RegexProgramSizeLimit(maxRegexProgram),
		ext.Strings(), ext.Encoders(), ext.Math(), ext.Lists(), ext.Bindings(),
		cel.Function("parseTime",
			cel.Overload("parse_time_layout", []*cel.Type{cel.StringType, cel.StringType}, cel.TimestampType, cel.BinaryBinding(func(text, layout ref.Val) ref.Val {
				return parseTime(text, layout, types.String("UTC"))
			})),
			cel.Overload("parse_time_zone", []*cel.Type{cel.StringType, cel.StringType, cel.StringType}, cel.TimestampType, cel.FunctionBinding(func(args ...ref.Val) ref.Val {
				return parseTime(args[0], args[1], args[2])
			}))),
		cel.Function("parseJSON", cel.Overload("parse_json", []*cel.Type{cel.StringType}, cel.DynType, cel.UnaryBinding(parseJSON))),
		cel.Function("sha256",
			cel.Overload("sha256_string", []*cel.Type{cel.StringType}, cel.StringType, cel.UnaryBinding(hash)),
			cel.Overload("sha256_bytes", []*cel.Type{cel.BytesType}, cel.StringType, cel.UnaryBinding(hash))),
	)
}

func (m *Mapping) compile(env *cel.Env, name string, text Text) (*program, error) {
	ast, issues := env.Compile(text.Source)
	if issues.Err() != nil {
		return nil, fmt.Errorf("line %d: map.%s: %s", text.Line, name, explain(text.Source, issues))
	}
	for _, reference := range ast.NativeRep().ReferenceMap() {
		m.needsValue = m.needsValue || reference.Name == "value"
	}
	if kind := ast.OutputType(); name == "filter" && kind != cel.BoolType && kind != cel.DynType {
		return nil, fmt.Errorf("line %d: map.filter: is %s, must be true or false", text.Line, kind)
	}
	run, err := env.Program(ast, cel.CostLimit(costLimit), cel.EvalOptions(cel.OptOptimize))
	if err != nil {
		return nil, fmt.Errorf("line %d: map.%s: %w", text.Line, name, err)
	}
	return &program{name, run}, nil
}

// explain is the first mistake that was found, with a hint at the one that
// everybody makes.
func explain(source string, issues *cel.Issues) string {
	first := issues.Errors()[0]
	sentence := fmt.Sprintf("%s, at column %d of %s", strings.TrimSuffix(first.Message, " (in container '')"), first.Location.Column()+1, source)
	if strings.HasPrefix(first.Message, "undeclared reference") || strings.HasPrefix(first.Message, "Syntax error") {
		sentence += `; a text that stands for itself needs quotes inside the settings' own: '"` + "like this" + `"'`
	}
	return sentence
}
