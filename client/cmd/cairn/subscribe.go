package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/cairn-ledger/cairn/client"
	"github.com/cairn-ledger/cairn/client/proof"
	"github.com/cairn-ledger/cairn/client/rest"
)

// subscribeOptions are the flags of `cairn subscribe`.
type subscribeOptions struct {
	kind, source, subject, from, filter, where, member, token string
	receipt, remove                                           bool
	count                                                     int
}

func subscribeCommand(s *session) *cobra.Command {
	var o subscribeOptions
	cmd := &cobra.Command{
		Use:   "subscribe NAME",
		Short: "Print events as they become final, from where this name left off",
		Long: `Print events as they become final, one JSON object a line, from where this name left
off. The node keeps the name's place; an event is acknowledged once it is printed. Several
processes of different --member share the events. With --receipt each comes with its
receipt, which is verified before it is printed. --type, --source and --subject are exact
or, ending in a full stop, slash or star, prefixes.`,
		Args: exactly(1, "the subscription's name"),
		RunE: func(cmd *cobra.Command, args []string) error { return s.subscribe(cmd, args[0], o) },
	}
	flags := cmd.Flags()
	flags.StringVar(&o.kind, "type", "", "type of the events")
	flags.StringVar(&o.source, "source", "", "source of the events")
	flags.StringVar(&o.subject, "subject", "", "subject of the events")
	flags.StringVar(&o.where, "where", "", "an expression of CEL, such as 'data.kwh > 3.0 && subject.startsWith(\"meter-\")'")
	flags.StringVar(&o.filter, "filter", "", "further filter, as JSON in CloudEvents' dialects")
	flags.StringVar(&o.from, "from", "now", "where a new name begins: beginning, now, an index or a time")
	flags.StringVar(&o.member, "member", "", "name within a group that shares the events")
	flags.StringVar(&o.token, "token", os.Getenv("CAIRN_TOKEN"), "token of the scope consume, or a JWT (CAIRN_TOKEN)")
	flags.BoolVar(&o.receipt, "receipt", false, "with verified receipts")
	flags.IntVar(&o.count, "count", 0, "end after so many events; 0 goes on")
	flags.BoolVar(&o.remove, "delete", false, "remove the name and its place instead")
	return cmd
}

// filters renders the flags in CloudEvents' dialects.
func (o *subscribeOptions) filters() (out []json.RawMessage, err error) {
	for _, f := range [...]struct{ name, text string }{{"type", o.kind}, {"source", o.source}, {"subject", o.subject}} {
		if f.text == "" || f.text == "*" {
			continue
		}
		dialect, text := "exact", f.text
		switch text[len(text)-1] {
		case '*':
			dialect, text = "prefix", text[:len(text)-1]
		case '.', '/':
			dialect = "prefix"
		}
		filter, err := json.Marshal(map[string]map[string]string{dialect: {f.name: text}})
		if err != nil {
			return nil, err
		}
		out = append(out, filter)
	}
	if o.where != "" {
		filter, err := json.Marshal(map[string]string{"cel": o.where})
		if err != nil {
			return nil, err
		}
		out = append(out, filter)
	}
	if o.filter != "" {
		if !json.Valid([]byte(o.filter)) {
			return nil, usageError{errors.New("--filter: not JSON")}
		}
		out = append(out, json.RawMessage(o.filter))
	}
	return out, nil
}

func (s *session) subscribe(cmd *cobra.Command, name string, o subscribeOptions) error {
	if o.token == "" && s.tls.certificate == "" {
		return usageError{errors.New("--token: a token is needed, or --client-cert; the node's operator makes one with `cairnd token add NAME --scope consume`")}
	}
	filters, err := o.filters()
	if err != nil {
		return err
	}
	l, err := s.connect()
	if err != nil {
		return err
	}
	subscriptions := l.Subscriptions(l.Config().Nodes[0], o.token)
	if o.remove {
		return subscriptions.Delete(cmd.Context(), name)
	}
	if _, err := subscriptions.Create(cmd.Context(), rest.NewSubscription{Name: name, From: o.from, Filters: filters}); err != nil {
		return err
	}
	printed := 0
	err = subscriptions.Each(cmd.Context(), name, client.Follow{Member: o.member, Receipt: o.receipt}, func(e rest.Delivered) error {
		if err := s.printDelivered(cmd, l, e); err != nil {
			return err
		}
		if printed++; printed == o.count {
			return client.ErrDone
		}
		return nil
	})
	if cmd.Context().Err() != nil {
		return nil
	}
	return err
}

// printDelivered prints an event on one line, after its receipt was verified.
func (s *session) printDelivered(cmd *cobra.Command, l *ledger, e rest.Delivered) error {
	if len(e.Receipt) > 0 {
		receipt := new(proof.Receipt)
		if err := receipt.UnmarshalJSON(e.Receipt); err != nil {
			return fmt.Errorf("%w: entry %d: %w", errInvalid, e.Index, err)
		}
		if _, err := l.Verify(cmd.Context(), receipt); err != nil {
			return fmt.Errorf("%w: entry %d: %w", errInvalid, e.Index, err)
		}
	}
	return s.printJSON(e)
}
