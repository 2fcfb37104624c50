package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"filippo.io/age"
	"github.com/spf13/cobra"

	"github.com/cairn-ledger/cairn/client"
	"github.com/cairn-ledger/cairn/client/connector"
	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/seal"
)

func sealCommand(s *session) *cobra.Command {
	return group("seal", "Seal events for named readers, open them, show parts of them, and forget",
		&cobra.Command{
			Use: "keygen FILE", Short: "Make a reader's identity and write it to a new file, readable by you alone", Args: exactly(1, "the file to write"),
			Long: `Make a reader's identity and write it to a new file, readable by you alone. The
recipient that is printed goes to producers. The file is one of age (age-encryption.org).`,
			RunE: func(_ *cobra.Command, args []string) error { return s.sealKeygen(args[0]) },
		},
		sealSendCommand(s), sealOpenCommand(s), sealShareCommand(s), sealRotateCommand(s), sealForgetCommand(s),
		sealDiscloseCommand(s), sealVerifyCommand(s))
}

func (s *session) sealKeygen(path string) error {
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("%w; an identity is never overwritten", err)
	}
	_, err = fmt.Fprintf(file, "# created: %s\n# public key: %s\n%s\n", time.Now().UTC().Format(time.RFC3339), identity.Recipient(), identity)
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	if s.json {
		return s.printJSON(map[string]any{"file": path, "recipient": identity.Recipient().String()})
	}
	_, err = fmt.Fprintf(s.out, "wrote %s\nrecipient   %s\nWho loses the file can no longer read what was sealed for this recipient.\n", path, identity.Recipient())
	return err
}

// sealFlags are what several of the commands take.
type sealFlags struct {
	keys, key, stream string
	to                []string
}

func (f *sealFlags) add(cmd *cobra.Command, readers bool) {
	cmd.Flags().StringVar(&f.keys, "keys", "", "folder with the subjects' keys; made where there is none")
	if readers {
		cmd.Flags().StringVar(&f.key, "key", "producer", "key of the producer: a file, or a name in the network's keys folder")
		cmd.Flags().StringArrayVar(&f.to, "to", nil, "a reader: a recipient age1..., or a file of some; may be repeated")
		cmd.Flags().StringVar(&f.stream, "stream", "", "stream to append to; keys go to a stream of that name and .keys")
	}
}

func (f *sealFlags) openKeys() (*seal.Keys, error) {
	if f.keys == "" {
		return nil, usageError{errors.New("say where the subjects' keys are: --keys DIR")}
	}
	return seal.OpenKeys(f.keys)
}

// readers reads --to.
func (f *sealFlags) readers() (recipients []age.Recipient, err error) {
	for _, to := range f.to {
		if strings.HasPrefix(to, "age1") {
			r, err := age.ParseX25519Recipient(to)
			if err != nil {
				return nil, usageError{fmt.Errorf("--to: %w", err)}
			}
			recipients = append(recipients, r)
			continue
		}
		file, err := os.Open(to)
		if err != nil {
			return nil, usageError{fmt.Errorf("--to: %w", err)}
		}
		some, err := age.ParseRecipients(file)
		file.Close()
		if err != nil {
			return nil, usageError{fmt.Errorf("--to: %s: %w", to, err)}
		}
		recipients = append(recipients, some...)
	}
	return recipients, nil
}

// publisher puts key events on the ledger, one at a time.
func (f *sealFlags) publisher(ctx context.Context, l *ledger, key protocol.PrivateKey) (func(context.Context, protocol.Event) (uint64, error), error) {
	stream := f.stream + ".keys"
	if over := len(stream) - protocol.MaxStreamName; over > 0 {
		stream = stream[over:]
	}
	producer, err := l.NewProducer(ctx, key, stream, client.ProducerConfig{Linger: -1})
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, e protocol.Event) (uint64, error) {
		future, err := producer.Submit(ctx, e)
		if err != nil {
			return 0, err
		}
		result, err := future.Wait(ctx)
		return result.Index, err
	}, nil
}

func sealSendCommand(s *session) *cobra.Command {
	var f sealFlags
	var o seal.Options
	var publish bool
	cmd := &cobra.Command{
		Use:   "send FILE --keys DIR --to RECIPIENT",
		Short: "Seal the events of a file, submit them and wait until all are final",
		Long: `Seal the events of a file, submit them and wait until all are final. FILE holds one
CloudEvents JSON document a line. Each event's data are encrypted with a key of its
subject's, which the readers are told by an event of type ` + seal.KeyEventType + `. Attributes stay in
the clear, and the members of the data that --clear names. After an interruption, run the
same command again; not after a rotation, though: what was sealed before is other data then.`,
		Args: exactly(1, "a file of events"),
		RunE: func(cmd *cobra.Command, args []string) error {
			keys, err := f.openKeys()
			if err != nil {
				return err
			}
			sealer := &seal.Sealer{Keys: keys, Options: o}
			if sealer.Readers, err = f.readers(); err != nil {
				return err
			}
			if publish && len(sealer.Readers) == 0 && !o.Withhold {
				return usageError{errors.New("say who may read: --to RECIPIENT; or --publish=false where the readers get keys in another way")}
			}
			if f.stream == "" {
				f.stream = streamOf(args[0])
			}
			source, err := connector.OpenJSONLines(args[0])
			if err != nil {
				return err
			}
			defer source.Close()
			return s.submitAll(cmd.Context(), source, f.key, f.stream, func(l *ledger, key protocol.PrivateKey) (client.ProducerConfig, error) {
				if publish && len(sealer.Readers) > 0 {
					sealer.Publish, err = f.publisher(cmd.Context(), l, key)
				}
				return client.ProducerConfig{Seal: sealer.Seal}, err
			})
		},
	}
	f.add(cmd, true)
	cmd.Flags().StringSliceVar(&o.Clear, "clear", nil, "members of the data that stay readable, for contracts too")
	cmd.Flags().BoolVar(&o.Fields, "fields", false, "let members be disclosed one by one")
	cmd.Flags().BoolVar(&o.Withhold, "withhold", false, "with --fields: leave the data out altogether; keep the file, or nothing can be disclosed")
	cmd.Flags().BoolVar(&publish, "publish", true, "tell the readers new keys on the ledger")
	return cmd
}

func sealShareCommand(s *session) *cobra.Command {
	var f sealFlags
	var all bool
	cmd := &cobra.Command{
		Use:   "share SUBJECT --stream NAME --keys DIR --to RECIPIENT",
		Short: "Tell further readers the key of a subject",
		Args:  exactly(1, "a subject"),
		RunE: func(cmd *cobra.Command, args []string) error {
			keys, err := f.openKeys()
			if err != nil {
				return err
			}
			readers, err := f.readers()
			if err != nil {
				return err
			}
			if len(readers) == 0 || f.stream == "" {
				return usageError{errors.New("say with whom, and in which stream's keys: --to RECIPIENT --stream NAME")}
			}
			record, err := keys.Subject(args[0])
			if err != nil {
				return err
			}
			l, err := s.connect()
			if err != nil {
				return err
			}
			key, err := s.key(f.key)
			if err != nil {
				return err
			}
			sealer := &seal.Sealer{Keys: keys}
			if sealer.Publish, err = f.publisher(cmd.Context(), l, key); err != nil {
				return err
			}
			shared := record.Keys
			if !all {
				shared = shared[len(shared)-1:]
			}
			for i := range shared {
				k, err := shared[i].Key()
				if err == nil {
					err = sealer.Share(cmd.Context(), args[0], k, readers...)
				}
				if err != nil {
					return err
				}
			}
			return s.tell(map[string]any{"subject": args[0], "keys": len(shared), "readers": len(readers)}, "shared      %d keys of %s with %d readers\n", len(shared), args[0], len(readers))
		},
	}
	f.add(cmd, true)
	cmd.Flags().BoolVar(&all, "all", false, "older keys too: the readers can read the past")
	return cmd
}

func sealRotateCommand(s *session) *cobra.Command {
	var f sealFlags
	cmd := &cobra.Command{
		Use: "rotate SUBJECT --keys DIR", Short: "Seal a subject's further events with a new key", Args: exactly(1, "a subject"),
		RunE: func(_ *cobra.Command, args []string) error {
			keys, err := f.openKeys()
			if err != nil {
				return err
			}
			key, err := keys.Rotate(args[0])
			if err != nil {
				return err
			}
			return s.tell(map[string]any{"subject": args[0], "key": key.ID().String()}, "key         %s, from the next event on\n", key.ID())
		},
	}
	f.add(cmd, false)
	return cmd
}

func sealForgetCommand(s *session) *cobra.Command {
	var f sealFlags
	var key string
	var local bool
	cmd := &cobra.Command{
		Use:   "forget SUBJECT --keys DIR",
		Short: "Delete a subject's keys, here and on the ledger",
		Long: `Delete a subject's keys: what was sealed with them can no longer be read, by this producer
or by readers that have not kept them. The events that told the readers are erased on the
ledger first, then the file of keys is deleted. What a reader copied, a backup or a
disk's spare blocks hold is out of reach; docs/privacy.md says what is promised.`,
		Args: exactly(1, "a subject"),
		RunE: func(cmd *cobra.Command, args []string) error {
			keys, err := f.openKeys()
			if err != nil {
				return err
			}
			record, err := keys.Subject(args[0])
			if err != nil {
				return err
			}
			var entries []uint64
			for _, k := range record.Keys {
				entries = append(entries, k.Entries...)
			}
			if !local && len(entries) > 0 {
				if err := s.eraseAll(cmd.Context(), key, entries); err != nil {
					return fmt.Errorf("%w; the keys are still here: run it again, or with --local", err)
				}
			}
			if _, err := keys.Forget(args[0]); err != nil {
				return err
			}
			published := ""
			switch {
			case len(entries) > 0 && local:
				published = "; " + manyOf(len(entries), "entry", "entries") + " on the ledger still hold them for their readers"
			case len(entries) > 0:
				published = "; " + manyOf(len(entries), "entry", "entries") + " that published them erased"
			}
			return s.tell(map[string]any{"subject": args[0], "keys": len(record.Keys), "entries": entries, "erased": !local},
				"forgotten   %s of %s%s\n", many(len(record.Keys), "key"), args[0], published)
		},
	}
	f.add(cmd, false)
	cmd.Flags().StringVar(&key, "key", "producer", "key of the producer: a file, or a name in the network's keys folder")
	cmd.Flags().BoolVar(&local, "local", false, "leave the ledger alone: readers can still find the keys there")
	return cmd
}

// eraseAll erases entries; those erased before are as good.
func (s *session) eraseAll(ctx context.Context, keyName string, entries []uint64) error {
	l, err := s.connect()
	if err != nil {
		return err
	}
	key, err := s.key(keyName)
	if err != nil {
		return err
	}
	for _, index := range entries {
		if _, err := l.Erase(ctx, key, index, protocol.ReasonRequest); err != nil {
			if code, _ := protocol.CodeOf(err); code != protocol.CodeNotErasable {
				return err
			}
		}
	}
	return nil
}

// readIdentity reads a reader's identity file.
func readIdentity(path string) (age.Identity, error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("no identity %s; `cairn seal keygen %s` makes one", path, path)
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	identities, err := age.ParseIdentities(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(identities) != 1 {
		return nil, fmt.Errorf("%s holds %d identities, must hold one", path, len(identities))
	}
	return identities[0], nil
}
