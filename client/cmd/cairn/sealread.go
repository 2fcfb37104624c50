package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/seal"
)

// opener finds the keys of sealed events: a reader's, by its identity, or the
// producer's own.
type opener struct {
	identity, keys string
}

func (o *opener) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.identity, "identity", "", "a reader's identity file")
	cmd.Flags().StringVar(&o.keys, "keys", "", "or the producer's folder of keys")
}

func (o *opener) check() error {
	if (o.identity == "") == (o.keys == "") {
		return usageError{errors.New("say who reads: --identity FILE, or --keys DIR for the producer")}
	}
	return nil
}

func (o *opener) key(ctx context.Context, l *ledger, producer protocol.Address, e *protocol.Event) (seal.Key, error) {
	if o.identity != "" {
		identity, err := readIdentity(o.identity)
		if err != nil {
			return seal.Key{}, err
		}
		return seal.NewReader(identity, l.Client).Key(ctx, producer, e)
	}
	keys, err := seal.OpenKeys(o.keys)
	if err != nil {
		return seal.Key{}, err
	}
	id, err := seal.KeyOf(e)
	if err != nil {
		return seal.Key{}, err
	}
	return keys.Find(e.Subject, id)
}

func sealOpenCommand(s *session) *cobra.Command {
	var o opener
	cmd := &cobra.Command{
		Use: "open INDEX --identity FILE", Short: "Open a sealed event and print it", Args: exactly(1, "the index of an entry"),
		RunE: func(cmd *cobra.Command, args []string) error {
			index, err := indexArg(args[0])
			if err == nil {
				err = o.check()
			}
			if err != nil {
				return err
			}
			l, err := s.connect()
			if err != nil {
				return err
			}
			entry, err := l.Entry(cmd.Context(), index)
			if err != nil {
				return err
			}
			if entry.Event == nil {
				return fmt.Errorf("entry %d, of kind %s, shows no event", index, entry.Kind)
			}
			key, err := o.key(cmd.Context(), l, entry.Origin, entry.Event)
			if err != nil {
				return err
			}
			opened, err := seal.Open(*entry.Event, key)
			if err != nil {
				return err
			}
			text, err := opened.MarshalJSON() // the octets of the data as they were
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(s.out, "%s\n", text)
			return err
		},
	}
	o.add(cmd)
	return cmd
}

func sealDiscloseCommand(s *session) *cobra.Command {
	var o opener
	var fields []string
	var original, output string
	cmd := &cobra.Command{
		Use:   "disclose INDEX --field NAME --identity FILE",
		Short: "Show members of a sealed event's data, with proof, and no others",
		Long: `Show members of a sealed event's data, with proof, and no others. The event must have been
sealed with --fields. The answer is one line of JSON that anybody verifies offline with
` + "`cairn seal verify-disclosure`" + `. It holds the sealed event's receipt.`,
		Args: exactly(1, "the index of an entry"),
		RunE: func(cmd *cobra.Command, args []string) error {
			index, err := indexArg(args[0])
			if err == nil {
				err = o.check()
			}
			if err == nil && len(fields) == 0 {
				err = usageError{errors.New("say what to show: --field NAME")}
			}
			if err != nil {
				return err
			}
			text, err := s.disclose(cmd.Context(), &o, index, original, fields)
			if err != nil {
				return err
			}
			if output == "" {
				_, err = s.out.Write(text)
				return err
			}
			if err := os.WriteFile(output, text, 0o600); err != nil {
				return err
			}
			return s.tell(map[string]any{"file": output, "bytes": len(text), "fields": len(fields)}, "wrote %s, %d bytes\n", output, len(text))
		},
	}
	o.add(cmd)
	cmd.Flags().StringArrayVar(&fields, "field", nil, "a member to show; may be repeated")
	cmd.Flags().StringVar(&original, "original", "", "the event before it was sealed, as JSON, where the ledger's withholds the data")
	cmd.Flags().StringVarP(&output, "output", "o", "", "file to write; without it the disclosure goes to standard output")
	return cmd
}

func (s *session) disclose(ctx context.Context, o *opener, index uint64, original string, fields []string) ([]byte, error) {
	var before *protocol.Event
	if original != "" {
		text, err := os.ReadFile(original)
		if err != nil {
			return nil, err
		}
		e, err := protocol.ParseEventJSON(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", original, err)
		}
		before = &e
	}
	l, err := s.connect()
	if err != nil {
		return nil, err
	}
	receipt, err := l.Receipt(ctx, index)
	if err != nil {
		return nil, err
	}
	if receipt.Entry.Withheld {
		return nil, protocol.Refuse(protocol.CodeErased, "entry %d: there is nothing left to disclose", index)
	}
	e, err := protocol.DecodeRecord(receipt.Entry.Payload)
	if err != nil {
		return nil, fmt.Errorf("entry %d holds no event: %w", index, err)
	}
	key, err := o.key(ctx, l, receipt.Entry.Entry.Origin, &e)
	if err != nil {
		return nil, err
	}
	d, err := seal.Disclose(receipt, key, before, fields...)
	if err != nil {
		return nil, err
	}
	return d.MarshalJSON()
}

func sealVerifyCommand(s *session) *cobra.Command {
	var trust string
	cmd := &cobra.Command{
		Use:   "verify-disclosure FILE --trust FILE",
		Short: "Verify a disclosure offline and print what it shows",
		Long: `Verify a disclosure offline and print what it shows. Nothing is asked of any node.
Exit code 0: it holds. 3: it does not, and the reason is printed.`,
		Args: exactly(1, "a disclosure file"),
		RunE: func(_ *cobra.Command, args []string) error {
			if trust == "" {
				trust = s.genesis
			}
			if trust == "" {
				return usageError{errors.New("say what to trust: --trust genesis.json")}
			}
			trusted, err := loadTrust(trust)
			if err != nil {
				return err
			}
			info, err := os.Stat(args[0])
			if err != nil {
				return err
			}
			if info.Size() > seal.MaxDisclosureBytes {
				return fmt.Errorf("%w: %s has %d bytes, no disclosure has more than %d", errInvalid, args[0], info.Size(), seal.MaxDisclosureBytes)
			}
			text, err := os.ReadFile(args[0])
			if err != nil {
				return err
			}
			d, err := seal.DecodeDisclosure(text)
			if err != nil {
				return fmt.Errorf("%w: %w", errInvalid, err)
			}
			shown, err := d.VerifyWith(trusted)
			if err != nil {
				return fmt.Errorf("%w: %w", errInvalid, err)
			}
			if s.json {
				return s.printJSON(shown)
			}
			_, err = fmt.Fprintln(s.out, shown)
			return err
		},
	}
	cmd.Flags().StringVar(&trust, "trust", "", "founding document of the ledger the receipt is of, or a trust file")
	return cmd
}
