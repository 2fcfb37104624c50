package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
	"github.com/cairn-ledger/cairn/client/schema"
)

func schemaCommand(s *session) *cobra.Command {
	cmd := group("schema", "Register schemas of event types, look at them, and check events and schemas")
	cmd.AddCommand(schemaAdd(s), schemaRule(s), schemaList(s), schemaShow(s), schemaCheck(s))
	return cmd
}

func schemaAdd(s *session) *cobra.Command {
	var f signing
	var rule string
	cmd := &cobra.Command{
		Use: "add TYPE FILE", Short: "Register a JSON Schema as the next version for events of a type",
		Long: `Register a JSON Schema as the next version for events of a type. The first version makes
the type's entry the signing account's. Without --compatibility the rule stays; a new type
has "backward". docs/schemas.md says what is checked of JSON Schema.`,
		Args: exactly(2, "an event type and a file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := os.ReadFile(args[1])
			if err != nil {
				return usageError{err}
			}
			next, err := schema.Compile(text)
			if err != nil {
				return protocol.Refuse(protocol.CodeSchemaInvalid, "%s: %v", args[1], err)
			}
			w, err := s.wallet()
			if err != nil {
				return err
			}
			body := &protocol.RegisterSchema{Type: args[0], Rule: protocol.SchemaBackward, Text: text}
			newest, err := w.SchemaType(cmd.Context(), args[0])
			if code, refused := protocol.CodeOf(err); err != nil && (!refused || code != protocol.CodeNotFound) {
				return err
			}
			known := err == nil
			if known {
				body.Rule = newest.Rule
			}
			if rule != "" {
				if err := body.Rule.UnmarshalText([]byte(rule)); err != nil {
					return usageError{fmt.Errorf("--compatibility: %w", err)}
				}
			}
			if known {
				if err := follows(cmd.Context(), w.ledger, body, next); err != nil {
					return err
				}
			}
			return f.send(cmd.Context(), w, body, fmt.Sprintf("registered version %d of %s", newest.Version+1, args[0]))
		},
	}
	cmd.Flags().StringVar(&rule, "compatibility", "", "the rule from this version on: "+strings.Join(protocol.SchemaRules(), ", "))
	return f.flags(cmd)
}

// follows holds a schema to the newest one of its type, before it is sent.
func follows(ctx context.Context, l *ledger, body *protocol.RegisterSchema, next *schema.Schema) error {
	newest, err := l.Schema(ctx, body.Type, 0)
	if err != nil {
		return err
	}
	previous, err := schema.Compile([]byte(newest.Text))
	if err != nil {
		return fmt.Errorf("version %d of %s: %w", newest.Schema.Version, body.Type, err)
	}
	if err := schema.Follow(body.Rule, previous, next); err != nil {
		return protocol.Refuse(protocol.CodeSchemaBreaks, "version %d of %s: %v", newest.Schema.Version+1, body.Type, err)
	}
	return nil
}

func schemaRule(s *session) *cobra.Command {
	var f signing
	return f.flags(&cobra.Command{
		Use: "rule TYPE RULE", Short: "Change the compatibility rule for the versions of a type that follow",
		Args: exactly(2, "an event type and one of "+strings.Join(protocol.SchemaRules(), ", ")),
		RunE: func(cmd *cobra.Command, args []string) error {
			body := &protocol.RegisterSchema{Type: args[0]}
			if err := body.Rule.UnmarshalText([]byte(args[1])); err != nil {
				return usageError{err}
			}
			w, err := s.wallet()
			if err != nil {
				return err
			}
			return f.send(cmd.Context(), w, body, fmt.Sprintf("from now on versions of %s are held to %s", args[0], body.Rule))
		},
	})
}

func schemaList(s *session) *cobra.Command {
	return &cobra.Command{
		Use: "list [TYPE]", Short: "List the event types with schemas, or the versions of one", Args: atMost(1, "an event type"),
		RunE: func(cmd *cobra.Command, args []string) error {
			w, err := s.wallet()
			if err != nil {
				return err
			}
			if len(args) == 1 {
				return w.listVersions(cmd.Context(), args[0])
			}
			return w.listSchemas(cmd.Context())
		},
	}
}

func (w *wallet) listSchemas(ctx context.Context) error {
	all, err := w.Schemas(ctx)
	if err != nil {
		return err
	}
	if w.s.json {
		if all == nil {
			all = []rest.SchemaType{}
		}
		return w.s.printJSON(all)
	}
	if len(all) == 0 {
		_, err := fmt.Fprintln(w.s.out, "no schemas are registered; `cairn schema add TYPE FILE` registers one")
		return err
	}
	table := tabwriter.NewWriter(w.s.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "TYPE\tVERSIONS\tIN FORCE\tCOMPATIBILITY\tOWNER")
	for _, x := range all {
		force := strconv.FormatUint(x.InForce, 10)
		if x.Official != nil {
			force += " (official)"
		}
		fmt.Fprintf(table, "%s\t%d\t%s\t%s\t%s\n", x.Type, x.Version, force, x.Rule, w.name(x.Owner))
	}
	return table.Flush()
}

func (w *wallet) listVersions(ctx context.Context, eventType string) error {
	all, err := w.SchemaVersions(ctx, eventType)
	if err != nil {
		return err
	}
	if w.s.json {
		return w.s.printJSON(all)
	}
	table := tabwriter.NewWriter(w.s.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "VERSION\tHEIGHT\tENTRY\tCOMPATIBILITY\tSHA-256")
	for _, v := range all {
		entry := "founding document"
		if v.Height > 0 {
			entry = strconv.FormatUint(v.Index, 10)
		}
		fmt.Fprintf(table, "%d\t%d\t%s\t%s\t%s\n", v.Version, v.Height, entry, v.Rule, v.Hash)
	}
	return table.Flush()
}

func schemaShow(s *session) *cobra.Command {
	var version uint64
	cmd := &cobra.Command{
		Use: "show TYPE", Short: "Show a version of a type's schema, verified as part of the ledger's state", Args: exactly(1, "an event type"),
		RunE: func(cmd *cobra.Command, args []string) error {
			w, err := s.wallet()
			if err != nil {
				return err
			}
			found, err := w.Schema(cmd.Context(), args[0], version)
			if err != nil {
				return err
			}
			if s.json {
				return s.printJSON(found)
			}
			_, err = fmt.Fprintf(s.out, "%s\n", bytes.TrimSpace([]byte(found.Text)))
			return err
		},
	}
	cmd.Flags().Uint64Var(&version, "version", 0, "which version; 0 is the newest")
	return cmd
}

// checking is what `cairn schema check` was asked.
type checking struct {
	against, eventType, rule, events string
}

func schemaCheck(s *session) *cobra.Command {
	var c checking
	cmd := &cobra.Command{
		Use: "check FILE", Short: "Check a schema, whether it may follow another, and events against it; sends nothing",
		Long: `Check that a file is a schema that the ledger takes. With --against FILE, or --type TYPE
for the newest one on the ledger, check that it may follow that one. With --events FILE,
check the data of the events in a file, one JSON document a line: those of --type, or all.
The answer is the one every validator would give.`,
		Args: exactly(1, "a file"),
		RunE: func(cmd *cobra.Command, args []string) error { return c.run(cmd.Context(), s, args[0]) },
	}
	flags := cmd.Flags()
	flags.StringVar(&c.against, "against", "", "the version before it: a file")
	flags.StringVar(&c.eventType, "type", "", "the event type; the version before it is the ledger's newest")
	flags.StringVar(&c.rule, "compatibility", "", "the rule it is held to: "+strings.Join(protocol.SchemaRules(), ", ")+"; the ledger's, or backward")
	flags.StringVar(&c.events, "events", "", "a file of events to check, one JSON document a line")
	return cmd
}

func (c *checking) run(ctx context.Context, s *session, path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return usageError{err}
	}
	next, err := schema.Compile(text)
	if err != nil {
		return protocol.Refuse(protocol.CodeSchemaInvalid, "%s: %v", path, err)
	}
	said := path + " is a schema that the ledger checks"
	previous, rule, name, err := c.previous(ctx, s)
	if err != nil {
		return err
	}
	if previous != nil {
		if err := schema.Follow(rule, previous, next); err != nil {
			return protocol.Refuse(protocol.CodeSchemaBreaks, "%s after %s: %v", path, name, err)
		}
		said += fmt.Sprintf(" and may follow %s (%s)", name, rule)
	}
	count := 0
	if c.events != "" {
		if count, err = c.checkEvents(s, next); err != nil {
			return err
		}
		said += fmt.Sprintf("; %d events conform to it", count)
	}
	return s.tell(map[string]any{"schema": path, "ok": true, "follows": name, "events": count}, "%s\n", said)
}

// previous finds the schema that the one to be checked would follow; nil is none.
func (c *checking) previous(ctx context.Context, s *session) (previous *schema.Schema, rule protocol.SchemaRule, name string, err error) {
	rule = protocol.SchemaBackward
	var text []byte
	switch {
	case c.against != "":
		name = c.against
		text, err = os.ReadFile(c.against)
	case c.eventType != "" && (s.network != "" || s.node != ""):
		var l *ledger
		if l, err = s.connect(); err != nil {
			return nil, rule, "", err
		}
		var newest rest.SchemaText
		newest, err = l.Schema(ctx, c.eventType, 0)
		if code, _ := protocol.CodeOf(err); code == protocol.CodeNotFound {
			return nil, rule, "", nil
		}
		text, rule, name = []byte(newest.Text), newest.Schema.Rule, fmt.Sprintf("version %d of %s", newest.Schema.Version, c.eventType)
	default:
		return nil, rule, "", nil
	}
	if err == nil && c.rule != "" {
		err = rule.UnmarshalText([]byte(c.rule))
	}
	if err == nil {
		previous, err = schema.Compile(text)
	}
	if err != nil {
		return nil, rule, name, fmt.Errorf("%s: %w", name, err)
	}
	return previous, rule, name, nil
}

// maxMismatches is how many events that do not conform are named.
const maxMismatches = 20

// checkEvents holds the events of a file to a schema and names those that do
// not conform.
func (c *checking) checkEvents(s *session, against *schema.Schema) (count int, err error) {
	text, err := os.ReadFile(c.events)
	if err != nil {
		return 0, usageError{err}
	}
	var checker schema.Checker
	var wrong []string
	line := 0
	for one := range bytes.Lines(text) {
		if line++; len(bytes.TrimSpace(one)) == 0 {
			continue
		}
		e, err := protocol.ParseEventJSON(bytes.TrimSpace(one))
		if err != nil {
			return count, fmt.Errorf("%s, line %d: %w", c.events, line, err)
		}
		if c.eventType != "" && e.Type != c.eventType {
			continue
		}
		count++
		if err := conforms(&checker, against, &e); err != nil {
			wrong = append(wrong, fmt.Sprintf("line %d, event %q: %v", line, e.ID, err))
		}
	}
	if len(wrong) == 0 {
		return count, nil
	}
	shown := wrong[:min(len(wrong), maxMismatches)]
	if len(wrong) > len(shown) {
		shown = append(shown, fmt.Sprintf("and %d more", len(wrong)-len(shown)))
	}
	return count, protocol.Refuse(protocol.CodeSchemaMismatch, "%d of %d events do not conform:\n  %s", len(wrong), count, strings.Join(shown, "\n  "))
}

func conforms(checker *schema.Checker, against *schema.Schema, e *protocol.Event) error {
	switch {
	case e.DataForm == protocol.DataNone:
		return errors.New("has no data")
	case e.DataForm != protocol.DataJSON:
		return errors.New("its data are no JSON")
	case e.DataContentType == protocol.SealedContentType && against.Sealed:
		return nil
	case e.DataContentType == protocol.SealedContentType:
		return errors.New(`its data are sealed, and the schema does not say "x-sealed"`)
	}
	_, err := checker.Check(against, e.Data)
	return err
}
