package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
)

func tokenCommand(s *session) *cobra.Command {
	return group("token", "Issue, pay, hold and allow tokens",
		issueCommand(s), tokenBalanceCommand(s), tokenListCommand(s),
		toCommand(s, protocol.TokenMint, "mint TO AMOUNT ASSET [TO AMOUNT ASSET ...]", "Make units of an asset of yours"),
		toCommand(s, protocol.TokenTransfer, "transfer TO AMOUNT ASSET [TO AMOUNT ASSET ...]", "Pay one or several, all or nobody"),
		burnCommand(s), holdCommand(s),
		idCommand(s, protocol.TokenRefund, "refund HOLD", "Give all of a hold back"),
		releaseCommand(s), allowCommand(s), revokeCommand(s), debitCommand(s), streamCommand(s),
		idCommand(s, protocol.TokenSettle, "settle STREAM", "Pay what of a stream has flowed"),
		idCommand(s, protocol.TokenStop, "stop STREAM", "Pay what of a stream has flowed and give the rest back"),
		scheduleCommand(s),
		idCommand(s, protocol.TokenUnschedule, "unschedule SCHEDULE", "Take a schedule of payments back"),
		freezeCommand(s, protocol.TokenFreeze, "freeze ACCOUNT ASSET", "Stop an account's units of an asset of yours"),
		freezeCommand(s, protocol.TokenUnfreeze, "unfreeze ACCOUNT ASSET", "Let an account's units go again"),
	)
}

// tokenBuild makes operations of a command's arguments.
type tokenBuild func(ctx context.Context, w *wallet, args []string) ([]protocol.TokenOp, error)

// operate is a command that signs operations and shows what moved, or with
// --dry-run what would.
func operate(s *session, use, short string, args cobra.PositionalArgs, build tokenBuild) *cobra.Command {
	var key, memo string
	var dry bool
	cmd := &cobra.Command{
		Use: use, Short: short, Args: args,
		RunE: func(cmd *cobra.Command, args []string) error {
			w, err := s.wallet()
			if err != nil {
				return err
			}
			signer, err := s.key(key)
			if err != nil {
				return err
			}
			ops, err := build(cmd.Context(), w, args)
			if err != nil {
				return err
			}
			for i := range ops {
				if memo != "" {
					ops[i].Memo = memo
				}
			}
			if dry {
				return w.try(cmd.Context(), signer, ops)
			}
			return w.do(cmd.Context(), signer, ops)
		},
	}
	cmd.Flags().StringVar(&key, "key", "author", "key that signs: a file, or a name in the network's keys folder")
	cmd.Flags().BoolVar(&dry, "dry-run", false, "show what would move, and move nothing")
	cmd.Flags().StringVar(&memo, "memo", "", "what the entry says of itself, at most 128 bytes")
	return cmd
}

// try shows what operations would come to.
func (w *wallet) try(ctx context.Context, key protocol.PrivateKey, ops []protocol.TokenOp) error {
	answer, err := w.TryToken(ctx, key, ops...)
	if err != nil {
		return err
	}
	if w.s.json {
		if err := w.s.printJSON(answer); err != nil {
			return err
		}
	} else if answer.Code == protocol.CodeOK {
		fmt.Fprintf(w.s.out, "nothing was sent; at height %d it would do:\n", answer.Height)
		return w.showMovements(ctx, answer.Movements)
	}
	if answer.Code != protocol.CodeOK {
		return fmt.Errorf("it would be refused: %s", answer.Message)
	}
	return nil
}

// tokenDone is the outcome of operations, for scripts.
type tokenDone struct {
	rest.Status
	Movements []protocol.MovementAct `json:"movements"`
}

func (w *wallet) do(ctx context.Context, key protocol.PrivateKey, ops []protocol.TokenOp) error {
	status, err := w.Token(ctx, key, ops...)
	if err != nil {
		return err
	}
	done := tokenDone{Status: status, Movements: []protocol.MovementAct{}}
	for i := range uint64(status.Entries) {
		m, err := w.movement(ctx, status.FirstIndex+i)
		if err != nil {
			return err
		}
		done.Movements = append(done.Movements, m)
	}
	if w.s.json {
		return w.s.printJSON(done)
	}
	fmt.Fprintf(w.s.out, "done at height %d, entry %d\n", status.Height, status.FirstIndex)
	return w.showMovements(ctx, done.Movements)
}

// movement reads what an entry says moved.
func (w *wallet) movement(ctx context.Context, index uint64) (m protocol.MovementAct, err error) {
	entry, err := w.Entry(ctx, index)
	if err != nil {
		return m, err
	}
	text, err := json.Marshal(entry.Act)
	if err == nil {
		err = json.Unmarshal(text, &m)
	}
	return m, err
}

func (w *wallet) showMovements(ctx context.Context, moves []protocol.MovementAct) error {
	table := tabwriter.NewWriter(w.s.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "WHAT\tID\tFROM\tTO\tAMOUNT\tBACK\tASSET")
	for _, m := range moves {
		places, err := w.places(ctx, m.Asset)
		if err != nil && m.Terms != nil { // tried: it is not there yet
			places = m.Terms.Decimals
		}
		id, back, amount := "-", "-", decimal(m.Amount, places)
		if m.ID != 0 {
			id = strconv.FormatUint(m.ID, 10)
		}
		if m.Rest != 0 {
			back = decimal(m.Rest, places)
		}
		if m.Amount == 0 {
			if amount = "-"; m.Terms != nil && m.Terms.Amount != 0 {
				amount = "up to " + decimal(m.Terms.Amount, places)
			}
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", m.Kind, id, w.name(m.From), w.name(m.To), amount, back, m.Asset)
	}
	return table.Flush()
}

func issueCommand(s *session) *cobra.Command {
	var name, issuer, limit string
	var decimals uint64
	var freezable bool
	cmd := operate(s, "issue SYMBOL", "Make an asset; what is declared here stays", exactly(1, "a symbol"),
		func(ctx context.Context, w *wallet, args []string) ([]protocol.TokenOp, error) {
			op := protocol.TokenOp{Kind: protocol.TokenIssue, Asset: args[0], Decimals: decimals, Freezable: freezable, Memo: name}
			var err error
			if issuer != "" {
				if op.Account, err = w.account(ctx, issuer); err != nil {
					return nil, err
				}
			}
			if limit != "" {
				if op.Amount, err = parseAmount(limit, decimals); err != nil {
					return nil, usageError{fmt.Errorf("--cap: %w", err)}
				}
			}
			return []protocol.TokenOp{op}, nil
		})
	cmd.Flags().StringVar(&name, "name", "", "for people")
	cmd.Flags().StringVar(&issuer, "issuer", "", "account or contract that mints; without it, who signs")
	cmd.Flags().StringVar(&limit, "cap", "", "the most there can be")
	cmd.Flags().Uint64Var(&decimals, "decimals", 2, "decimal places")
	cmd.Flags().BoolVar(&freezable, "freezable", false, "the issuer can stop an account's units")
	return cmd
}

// triples refuses arguments that are not TO AMOUNT ASSET, repeated.
func triples(_ *cobra.Command, args []string) error {
	if len(args) == 0 || len(args)%3 != 0 {
		return usageError{fmt.Errorf("needs TO AMOUNT ASSET, once or more often")}
	}
	return nil
}

func toCommand(s *session, kind protocol.TokenKind, use, short string) *cobra.Command {
	return operate(s, use, short, triples, func(ctx context.Context, w *wallet, args []string) ([]protocol.TokenOp, error) {
		var ops []protocol.TokenOp
		for ; len(args) > 0; args = args[3:] {
			op, err := w.payment(ctx, kind, args)
			if err != nil {
				return nil, err
			}
			ops = append(ops, op)
		}
		return ops, nil
	})
}

// payment reads TO AMOUNT ASSET.
func (w *wallet) payment(ctx context.Context, kind protocol.TokenKind, args []string) (op protocol.TokenOp, err error) {
	op = protocol.TokenOp{Kind: kind, Asset: args[2]}
	if op.Account, err = w.account(ctx, args[0]); err == nil {
		op.Amount, err = w.amount(ctx, args[1], args[2])
	}
	return op, err
}

func burnCommand(s *session) *cobra.Command {
	return operate(s, "burn AMOUNT ASSET", "Destroy units of yours", exactly(2, "an amount and an asset"),
		func(ctx context.Context, w *wallet, args []string) ([]protocol.TokenOp, error) {
			amount, err := w.amount(ctx, args[0], args[1])
			return []protocol.TokenOp{{Kind: protocol.TokenBurn, Asset: args[1], Amount: amount}}, err
		})
}

func idCommand(s *session, kind protocol.TokenKind, use, short string) *cobra.Command {
	return operate(s, use, short, exactly(1, "an id"), func(_ context.Context, _ *wallet, args []string) ([]protocol.TokenOp, error) {
		id, err := tokenID(args[0])
		return []protocol.TokenOp{{Kind: kind, ID: id}}, err
	})
}

func tokenID(text string) (uint64, error) {
	id, err := strconv.ParseUint(text, 10, 64)
	if err != nil || id == 0 {
		return 0, usageError{fmt.Errorf("%q is no id: `cairn token list holds|streams|schedules` shows them", text)}
	}
	return id, nil
}

func freezeCommand(s *session, kind protocol.TokenKind, use, short string) *cobra.Command {
	return operate(s, use, short, exactly(2, "an account and an asset"),
		func(ctx context.Context, w *wallet, args []string) ([]protocol.TokenOp, error) {
			account, err := w.account(ctx, args[0])
			return []protocol.TokenOp{{Kind: kind, Account: account, Asset: args[1]}}, err
		})
}
