package expr

import (
	"fmt"

	"cel.dev/cel-go/cel"
)

// Over is an expression over one JSON value, such as the answer of an API.
type Over struct{ program }

// NewOver compiles an expression; name is what it calls the value.
func NewOver(setting, name string, text Text) (*Over, error) {
	env, err := cel.NewEnv(cel.Variable(name, cel.DynType), cel.OptionalTypes(), cel.CrossTypeNumericComparisons(true),
		cel.ParserExpressionSizeLimit(maxExpressionBytes), cel.ExpressionNodeLimit(maxNodes))
	if err != nil {
		return nil, err
	}
	ast, issues := env.Compile(text.Source)
	if issues.Err() != nil {
		return nil, fmt.Errorf("line %d: %s: %s", text.Line, setting, explain(text.Source, issues))
	}
	run, err := env.Program(ast, cel.CostLimit(costLimit), cel.EvalOptions(cel.OptOptimize))
	if err != nil {
		return nil, fmt.Errorf("line %d: %s: %w", text.Line, setting, err)
	}
	return &Over{program{name, run}}, nil
}

// Text evaluates to a text; whole numbers are written out, null is "".
func (o *Over) Text(json []byte) (string, error) {
	value, err := decodeJSON(json)
	if err != nil {
		return "", err
	}
	return o.text(map[string]any{o.name: value})
}
