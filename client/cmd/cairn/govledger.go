package main

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/genesis"
)

// ledgerTerms is what the flags of `cairn gov propose ledger` lead to.
type ledgerTerms struct {
	of, trust                      string
	sources, types                 []string
	everything, keep               bool
	period, age                    time.Duration
	blocks, events, bytes, gasUsed uint64
}

func proposeLedger(s *session) *cobra.Command {
	var t ledgerTerms
	cmd := proposal(s, &cobra.Command{
		Use: "ledger NAME --of NETWORK|genesis.json --types PREFIX", Short: "Register another ledger, or set anew what is taken of it", Args: exactly(1, "the name it has here"),
		Long: `Register another ledger, or set anew what is taken of it. Its founding document says
which ledger it is, and which validators are believed to begin with; --trust takes those of a
trust file instead, which is also how a ledger is believed again after its trusting period
ended. --keep changes the terms and leaves the trusted validators as they are.`,
	}, func(_ context.Context, _ *wallet, args []string) (protocol.GovAction, error) {
		return t.action(args[0])
	})
	flags := cmd.Flags()
	flags.StringVar(&t.of, "of", "", "the other ledger: the folder of its network, or its founding document")
	flags.StringVar(&t.trust, "trust", "", "trust file whose newest validators are believed, instead of the founding ones")
	flags.StringSliceVar(&t.sources, "sources", nil, "prefixes of the sources that are accepted; all where it is missing")
	flags.StringSliceVar(&t.types, "types", nil, "prefixes of the event types that are accepted")
	flags.BoolVar(&t.everything, "everything", false, "accept all types")
	flags.BoolVar(&t.keep, "keep", false, "leave the trusted validators as they are")
	flags.DurationVar(&t.period, "period", 14*24*time.Hour, "trusting period: validators last seen longer ago are not believed")
	flags.DurationVar(&t.age, "max-age", 0, "refuse entries older than this; 0 sets no bound")
	flags.Uint64Var(&t.blocks, "blocks", 0, "window of a quota, in blocks")
	flags.Uint64Var(&t.events, "events", 0, "events in a window; 0 sets no bound")
	flags.Uint64Var(&t.bytes, "bytes", 0, "bytes of their records in a window; 0 sets no bound")
	flags.Uint64Var(&t.gasUsed, "gas", 0, "gas of verifying them in a window; 0 sets no bound")
	return cmd
}

func (t *ledgerTerms) action(name string) (protocol.GovAction, error) {
	a := protocol.GovAction{Kind: protocol.GovLedger, Name: name}
	if t.of == "" {
		return a, usageError{errors.New("say which ledger: --of NETWORK, or --of genesis.json")}
	}
	if (len(t.types) == 0) != t.everything {
		return a, usageError{errors.New("say what is accepted: --types PREFIX, or --everything")}
	}
	path, err := (&session{network: t.of}).genesisPath()
	if err != nil {
		path = t.of
	}
	doc, err := genesis.Load(path)
	if err != nil {
		return a, usageError{err}
	}
	a.Grants = protocol.Grants{Sources: sortedOnce(t.sources), Types: sortedOnce(t.types)}
	a.Quota = protocol.Quota{Blocks: t.blocks, Events: t.events, Bytes: t.bytes, Gas: t.gasUsed}
	a.Ledger = protocol.LedgerTerms{ChainID: doc.ChainID, Genesis: doc.Hash(), PeriodMs: uint64(t.period.Milliseconds()), MaxAgeMs: uint64(t.age.Milliseconds())}
	if t.keep {
		return a, nil
	}
	trust, err := doc.Trust()
	if t.trust != "" {
		trust, err = loadTrust(t.trust)
	}
	if err != nil {
		return a, usageError{err}
	}
	if trust.ChainID() != doc.ChainID {
		return a, usageError{errors.New("--trust is of another chain than --of")}
	}
	latest := trust.Latest()
	a.Ledger.Set, a.Ledger.Since, a.Ledger.AtMs = latest.SetHash(), max(latest.Since, 1), uint64(latest.At.UnixMilli())
	return a, nil
}

func sortedOnce(list []string) []string { return slices.Compact(slices.Sorted(slices.Values(list))) }

func proposeSuspend(s *session, use, short string, on bool) *cobra.Command {
	return proposal(s, &cobra.Command{Use: use + " NAME", Short: short, Args: exactly(1, "a ledger's name")},
		func(_ context.Context, _ *wallet, args []string) (protocol.GovAction, error) {
			return protocol.GovAction{Kind: protocol.GovSuspend, Name: args[0], On: on}, nil
		})
}
