package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cairn-ledger/cairn/client/protocol"
)

func proposeCommand(s *session) *cobra.Command {
	return group("propose", "Propose to the council; `cairn role` proposes roles and quotas",
		proposeCouncil(s), proposeValidator(s), proposeLogKey(s), proposeNode(s), proposeParameter(s), proposeSchema(s), proposeContract(s), proposeCode(s),
		proposeUpgrade(s), proposeSwitch(s, protocol.GovHalt, "halt", "Accept governance alone, until it is resumed", true),
		proposeSwitch(s, protocol.GovHalt, "resume", "Accept everything again", false),
		proposeRevoke(s, "revoke", "End an account: no key speaks for it any more", true),
		proposeRevoke(s, "restore", "Let a revoked account be again, with the key it had", false),
		proposeRecover(s), proposeReward(s), proposeFees(s), proposeLedger(s),
		proposeSuspend(s, "suspend", "Take nothing of another ledger any more", true), proposeSuspend(s, "accept", "Take events of a suspended ledger again", false), proposeFile(s))
}

// proposal is a command whose arguments make one action.
func proposal(s *session, cmd *cobra.Command, build func(ctx context.Context, w *wallet, args []string) (protocol.GovAction, error)) *cobra.Command {
	return proposals(s, cmd, func(ctx context.Context, w *wallet, args []string) ([]protocol.GovAction, error) {
		action, err := build(ctx, w, args)
		return []protocol.GovAction{action}, err
	})
}

// proposals is a command whose arguments make actions that belong together.
func proposals(s *session, cmd *cobra.Command, build func(ctx context.Context, w *wallet, args []string) ([]protocol.GovAction, error)) *cobra.Command {
	var p proposing
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		w, err := s.wallet()
		if err != nil {
			return err
		}
		actions, err := build(cmd.Context(), w, args)
		if err != nil {
			return err
		}
		p.suggest("%s", strings.Join(append([]string{cmd.Name()}, args...), " "))
		return p.send(cmd.Context(), w, actions...)
	}
	return p.flags(cmd)
}

func actionText(a *protocol.GovAction) (string, error) {
	text, err := json.Marshal(a)
	return string(text), err
}

func proposeCouncil(s *session) *cobra.Command {
	return proposal(s, &cobra.Command{Use: "council ACCOUNT WEIGHT", Short: "Give an account a weight in the council; 0 takes its seat", Args: exactly(2, "an account and a weight")},
		func(ctx context.Context, w *wallet, args []string) (a protocol.GovAction, err error) {
			a.Kind = protocol.GovCouncil
			if a.Account, err = w.account(ctx, args[0]); err == nil {
				a.Weight, err = numberArg("weight", args[1])
			}
			return a, err
		})
}

func proposeValidator(s *session) *cobra.Command {
	a := protocol.GovAction{Kind: protocol.GovValidator}
	var logKey string
	cmd := proposals(s, &cobra.Command{Use: "validator KEY --power P --name NAME [--log-key KEY]", Short: "Give a validator a power, and a log key; 0 takes it out", Args: exactly(1, "a validator's public key")},
		func(_ context.Context, _ *wallet, args []string) ([]protocol.GovAction, error) {
			if err := a.Validator.UnmarshalText([]byte(args[0])); err != nil {
				return nil, usageError{err}
			}
			if logKey == "" {
				return []protocol.GovAction{a}, nil
			}
			key := protocol.GovAction{Kind: protocol.GovLogKey, Validator: a.Validator}
			if err := key.LogKey.UnmarshalText([]byte(logKey)); err != nil {
				return nil, usageError{fmt.Errorf("--log-key: %w", err)}
			}
			return []protocol.GovAction{a, key}, nil
		})
	cmd.Flags().StringVar(&logKey, "log-key", "", "the key it signs the log's checkpoints with, as `cairnd join` prints it; left out, what it has stays")
	cmd.Flags().Uint64Var(&a.Power, "power", 0, "its power; 0 takes it out")
	cmd.Flags().StringVar(&a.Name, "name", "", "for people")
	cmd.Flags().BoolVar(&a.Force, "force", false, "also where more than a third of the power changes at once")
	return cmd
}

func proposeLogKey(s *session) *cobra.Command {
	remove := false
	cmd := proposal(s, &cobra.Command{Use: "log-key VALIDATOR KEY | VALIDATOR --remove", Short: "Give a validator another key for the log's checkpoints", Args: oneOrTwo("a validator's key, and its new log key or --remove")},
		func(_ context.Context, _ *wallet, args []string) (a protocol.GovAction, err error) {
			a.Kind = protocol.GovLogKey
			if remove == (len(args) == 2) {
				return a, usageError{errors.New("say the validator's key and its new log key, or --remove")}
			}
			if err = a.Validator.UnmarshalText([]byte(args[0])); err == nil && !remove {
				err = a.LogKey.UnmarshalText([]byte(args[1]))
			}
			if err != nil {
				err = usageError{err}
			}
			return a, err
		})
	cmd.Flags().BoolVar(&remove, "remove", false, "it cosigns no checkpoints any more")
	return cmd
}

func proposeNode(s *session) *cobra.Command {
	a, remove := protocol.GovAction{Kind: protocol.GovNode}, false
	cmd := proposal(s, &cobra.Command{Use: "node ID --name NAME", Short: "Admit a node among the peers, or with --remove not any more", Args: exactly(1, "a node id")},
		func(_ context.Context, _ *wallet, args []string) (protocol.GovAction, error) {
			if err := a.Node.UnmarshalText([]byte(args[0])); err != nil {
				return a, usageError{err}
			}
			a.On = !remove
			return a, nil
		})
	cmd.Flags().StringVar(&a.Name, "name", "", "for people")
	cmd.Flags().BoolVar(&remove, "remove", false, "do not admit it any more")
	return cmd
}

func proposeParameter(s *session) *cobra.Command {
	return proposal(s, &cobra.Command{Use: "parameter NAME VALUE", Short: "Set a parameter of the ledger", Args: exactly(2, "a parameter and its value")},
		func(_ context.Context, _ *wallet, args []string) (a protocol.GovAction, err error) {
			a.Kind, a.Name = protocol.GovParam, args[0]
			a.Value, err = numberArg(args[0], args[1])
			return a, err
		})
}

func proposeSchema(s *session) *cobra.Command {
	var file, uri, owner string
	var remove bool
	cmd := proposal(s, &cobra.Command{Use: "schema TYPE --file FILE|--owner ACCOUNT|--remove", Short: "Make a registered schema the official one of an event type, or give its schemas an owner", Args: exactly(1, "an event type")},
		func(ctx context.Context, w *wallet, args []string) (a protocol.GovAction, err error) {
			a = protocol.GovAction{Kind: protocol.GovSchema, Name: args[0], URI: uri}
			if owner != "" {
				a.Account, err = w.account(ctx, owner)
			}
			if remove || err != nil || owner != "" && file == "" {
				return a, err
			}
			text, err := os.ReadFile(file)
			if err != nil {
				return a, usageError{fmt.Errorf("--file: %w", err)}
			}
			a.Hash = sha256.Sum256(text)
			return a, nil
		})
	cmd.Flags().StringVar(&file, "file", "", "the text of a registered version")
	cmd.Flags().StringVar(&owner, "owner", "", "account that owns the type's schemas from then on")
	cmd.Flags().StringVar(&uri, "uri", "", "where it is found")
	cmd.Flags().BoolVar(&remove, "remove", false, "no schema is the official one any more")
	return cmd
}

func proposeContract(s *session) *cobra.Command {
	return proposal(s, &cobra.Command{Use: "contract NAME pause|resume", Short: "Pause a contract, or let it go on as far as its author does", Args: exactly(2, "a contract and pause or resume")},
		func(ctx context.Context, w *wallet, args []string) (protocol.GovAction, error) {
			a := protocol.GovAction{Kind: protocol.GovContract, On: args[1] == "pause"}
			if !a.On && args[1] != "resume" {
				return a, usageError{fmt.Errorf("%q is neither pause nor resume", args[1])}
			}
			var err error
			a.Contract, err = w.account(ctx, args[0])
			return a, err
		})
}

func proposeCode(s *session) *cobra.Command {
	var withdraw bool
	cmd := proposal(s, &cobra.Command{Use: "code FILE.wasm|HASH", Short: "Approve code that contracts may be upgraded to", Args: exactly(1, "a module or its SHA-256")},
		func(_ context.Context, _ *wallet, args []string) (protocol.GovAction, error) {
			a := protocol.GovAction{Kind: protocol.GovCode, On: !withdraw}
			if hash, err := protocol.ParseHash(args[0]); err == nil {
				a.Hash = hash
				return a, nil
			}
			code, err := os.ReadFile(args[0])
			if err != nil {
				return a, usageError{err}
			}
			a.Hash = sha256.Sum256(code)
			return a, nil
		})
	cmd.Flags().BoolVar(&withdraw, "withdraw", false, "take the approval back")
	return cmd
}

func proposeUpgrade(s *session) *cobra.Command {
	return proposal(s, &cobra.Command{
		Use: "upgrade HEIGHT VERSION", Short: "Have other rules from a height on; 0 0 calls a planned upgrade off", Args: exactly(2, "a height and a version of the rules"),
	}, func(_ context.Context, _ *wallet, args []string) (a protocol.GovAction, err error) {
		a.Kind = protocol.GovUpgrade
		if a.Height, err = numberArg("height", args[0]); err == nil {
			a.Value, err = numberArg("version", args[1])
		}
		return a, err
	})
}

func proposeSwitch(s *session, kind protocol.GovKind, use, short string, on bool) *cobra.Command {
	return proposal(s, &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs},
		func(context.Context, *wallet, []string) (protocol.GovAction, error) {
			return protocol.GovAction{Kind: kind, On: on}, nil
		})
}

func proposeRevoke(s *session, use, short string, on bool) *cobra.Command {
	return proposal(s, &cobra.Command{Use: use + " ACCOUNT", Short: short, Args: exactly(1, "an account")},
		func(ctx context.Context, w *wallet, args []string) (protocol.GovAction, error) {
			account, err := w.account(ctx, args[0])
			return protocol.GovAction{Kind: protocol.GovRevoke, Account: account, On: on}, err
		})
}

func proposeRecover(s *session) *cobra.Command {
	var to string
	cmd := proposal(s, &cobra.Command{Use: "recover ACCOUNT --to NEWKEY", Short: "Give an account another key at once, also a revoked one", Args: exactly(1, "an account")},
		func(ctx context.Context, w *wallet, args []string) (protocol.GovAction, error) {
			a := protocol.GovAction{Kind: protocol.GovRecover}
			key, err := w.s.key(to)
			if err != nil {
				return a, err
			}
			a.Account, err = w.account(ctx, args[0])
			a.Key = key.Public()
			a.Proof = key.Sign(protocol.RotationDigest(w.ChainID(), a.Account, a.Key, 0))
			return a, err
		})
	cmd.Flags().StringVar(&to, "to", "", "the new key: a file, or a name in the network's keys folder; it signs too")
	return cmd
}

func proposeReward(s *session) *cobra.Command {
	var asset, from, each, limit string
	var period time.Duration
	cmd := proposal(s, &cobra.Command{Use: "reward TYPE --asset A --each N --limit N --from ACCOUNT", Short: "Pay producers for each accepted event of a type; without --each, not any more", Args: exactly(1, "an event type")},
		func(ctx context.Context, w *wallet, args []string) (a protocol.GovAction, err error) {
			a.Kind, a.Name = protocol.GovReward, args[0]
			if each == "" {
				return a, nil
			}
			a.Asset, a.PeriodMs = asset, uint64(period.Milliseconds())
			if a.Account, err = w.account(ctx, from); err != nil {
				return a, err
			}
			if a.Each, err = w.amount(ctx, each, asset); err == nil {
				a.Limit, err = w.amount(ctx, limit, asset)
			}
			return a, err
		})
	flags := cmd.Flags()
	flags.StringVar(&asset, "asset", "", "what it is paid in")
	flags.StringVar(&from, "from", "", "account that pays")
	flags.StringVar(&each, "each", "", "amount for each event")
	flags.StringVar(&limit, "limit", "", "the most in a period, for all together")
	flags.DurationVar(&period, "period", 24*time.Hour, "how long a period is")
	return cmd
}

func proposeFees(s *session) *cobra.Command {
	var asset, to, event, gas string
	cmd := proposal(s, &cobra.Command{Use: "fees --asset A --to ACCOUNT", Short: "Set what the ledger takes for its work; without flags, nothing", Args: cobra.NoArgs},
		func(ctx context.Context, w *wallet, _ []string) (a protocol.GovAction, err error) {
			if a.Kind = protocol.GovFees; asset == "" {
				return a, nil
			}
			a.Asset = asset
			if a.Account, err = w.account(ctx, to); err != nil {
				return a, err
			}
			if a.Each, err = w.amount(ctx, event, asset); err == nil {
				a.Limit, err = w.amount(ctx, gas, asset)
			}
			return a, err
		})
	flags := cmd.Flags()
	flags.StringVar(&asset, "asset", "", "what they are taken in")
	flags.StringVar(&to, "to", "", "account that gets them")
	flags.StringVar(&event, "per-event", "0", "amount for each accepted event")
	flags.StringVar(&gas, "per-million-gas", "0", "amount for a million gas")
	return cmd
}

// proposeFile takes several actions, that are done together or not at all.
func proposeFile(s *session) *cobra.Command {
	var p proposing
	return p.flags(&cobra.Command{
		Use: "file FILE", Short: "Propose the actions in a JSON file, done together or not at all", Args: exactly(1, "a file with a list of actions"),
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := os.ReadFile(args[0])
			if err != nil {
				return usageError{err}
			}
			var actions []protocol.GovAction
			decoder := json.NewDecoder(strings.NewReader(string(text)))
			decoder.DisallowUnknownFields()
			if err := decoder.Decode(&actions); err != nil {
				return usageError{fmt.Errorf("%s: %w; docs/governance.md says what actions there are", args[0], err)}
			}
			w, err := s.wallet()
			if err != nil {
				return err
			}
			p.suggest("%s", args[0])
			return p.send(cmd.Context(), w, actions...)
		},
	})
}
