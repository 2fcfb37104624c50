package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/cairn-ledger/cairn/client/protocol"
)

func holdCommand(s *session) *cobra.Command {
	var to, from, controller, until string
	cmd := operate(s, "hold AMOUNT ASSET", "Set units aside that only a controller can release", exactly(2, "an amount and an asset"),
		func(ctx context.Context, w *wallet, args []string) ([]protocol.TokenOp, error) {
			op := protocol.TokenOp{Kind: protocol.TokenHold, Asset: args[1]}
			var err error
			if op.Amount, err = w.amount(ctx, args[0], args[1]); err != nil {
				return nil, err
			}
			for _, party := range []struct {
				name string
				into *protocol.Address
			}{{to, &op.Account}, {from, &op.From}, {controller, &op.Controller}} {
				if party.name == "" {
					continue
				}
				if *party.into, err = w.account(ctx, party.name); err != nil {
					return nil, err
				}
			}
			op.UntilMs, err = moment(until)
			return []protocol.TokenOp{op}, err
		})
	cmd.Flags().StringVar(&to, "to", "", "the only account that can be paid from it")
	cmd.Flags().StringVar(&from, "from", "", "whose units, under an allowance; without it, who signs")
	cmd.Flags().StringVar(&controller, "controller", "", "who can release it; without it, who signs")
	cmd.Flags().StringVar(&until, "until", "", "when they go back: a time, or a duration from now; never without it")
	return cmd
}

func releaseCommand(s *session) *cobra.Command {
	return operate(s, "release HOLD TO AMOUNT ASSET", "Pay from a hold; the rest goes back", exactly(4, "a hold, an account, an amount and an asset"),
		func(ctx context.Context, w *wallet, args []string) ([]protocol.TokenOp, error) {
			op, err := w.payment(ctx, protocol.TokenRelease, args[1:])
			if err != nil {
				return nil, err
			}
			op.Asset = "" // the hold says which
			op.ID, err = tokenID(args[0])
			return []protocol.TokenOp{op}, err
		})
}

func allowCommand(s *session) *cobra.Command {
	var per, until string
	cmd := operate(s, "allow SPENDER AMOUNT ASSET", "Let an account or contract debit you up to an amount", exactly(3, "a spender, an amount and an asset"),
		func(ctx context.Context, w *wallet, args []string) ([]protocol.TokenOp, error) {
			op, err := w.payment(ctx, protocol.TokenAllow, args)
			if err != nil {
				return nil, err
			}
			if op.PeriodMs, err = millis(per); err != nil {
				return nil, err
			}
			op.UntilMs, err = moment(until)
			return []protocol.TokenOp{op}, err
		})
	cmd.Flags().StringVar(&per, "per", "", "in each period of this length, such as 30d; in all without it")
	cmd.Flags().StringVar(&until, "until", "", "when it ends: a time, or a duration from now; never without it")
	return cmd
}

func revokeCommand(s *session) *cobra.Command {
	return operate(s, "revoke SPENDER ASSET", "Take an allowance back", exactly(2, "a spender and an asset"),
		func(ctx context.Context, w *wallet, args []string) ([]protocol.TokenOp, error) {
			spender, err := w.account(ctx, args[0])
			return []protocol.TokenOp{{Kind: protocol.TokenRevoke, Account: spender, Asset: args[1]}}, err
		})
}

func debitCommand(s *session) *cobra.Command {
	return operate(s, "debit PAYER TO AMOUNT ASSET", "Pay with somebody's allowance for you", exactly(4, "a payer, an account, an amount and an asset"),
		func(ctx context.Context, w *wallet, args []string) ([]protocol.TokenOp, error) {
			op, err := w.payment(ctx, protocol.TokenDebit, args[1:])
			if err != nil {
				return nil, err
			}
			op.From, err = w.account(ctx, args[0])
			return []protocol.TokenOp{op}, err
		})
}

func streamCommand(s *session) *cobra.Command {
	var rate, per, start string
	cmd := operate(s, "stream TO AMOUNT ASSET", "Set units aside that flow to somebody with time", exactly(3, "an account, an amount and an asset"),
		func(ctx context.Context, w *wallet, args []string) ([]protocol.TokenOp, error) {
			op, err := w.payment(ctx, protocol.TokenStream, args)
			if err != nil {
				return nil, err
			}
			if op.Rate, err = w.amount(ctx, rate, args[2]); err != nil {
				return nil, err
			}
			if op.PeriodMs, err = millis(per); err != nil {
				return nil, err
			}
			op.StartMs, err = moment(start)
			return []protocol.TokenOp{op}, err
		})
	cmd.Flags().StringVar(&rate, "rate", "", "how much flows in a period (required)")
	cmd.Flags().StringVar(&per, "per", "1s", "the period of the rate")
	cmd.Flags().StringVar(&start, "start", "", "when it begins: a time, or a duration from now")
	_ = cmd.MarkFlagRequired("rate")
	return cmd
}

func scheduleCommand(s *session) *cobra.Command {
	var every, start string
	var count uint64
	cmd := operate(s, "schedule TO AMOUNT ASSET", "Pay at times to come", exactly(3, "an account, an amount and an asset"),
		func(ctx context.Context, w *wallet, args []string) ([]protocol.TokenOp, error) {
			op, err := w.payment(ctx, protocol.TokenSchedule, args)
			if err != nil {
				return nil, err
			}
			op.Count = count
			if op.PeriodMs, err = millis(every); err != nil {
				return nil, err
			}
			op.StartMs, err = moment(start)
			return []protocol.TokenOp{op}, err
		})
	cmd.Flags().Uint64Var(&count, "count", 1, "how many payments")
	cmd.Flags().StringVar(&every, "every", "", "from one payment to the next, such as 30d")
	cmd.Flags().StringVar(&start, "start", "", "when the first one is due: a time, or a duration from now")
	return cmd
}
