// Command optimisation proposes parking prices: it reads the weekly
// evaluations of the parking contract off the ledger, and answers each with
// the price that a controller comes to. The contract adopts what lies within
// the limits that its operator set. README.md shows it at work.
package main

import (
	"context"
	"encoding/base64"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/cairn-ledger/cairn/client/derive"
	"github.com/cairn-ledger/cairn/client/netdir"
	"github.com/cairn-ledger/cairn/client/rest"
)

// settings are the flags.
type settings struct {
	network, key, token, name, from string
	idle                            time.Duration
	policy                          policy
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	s, err := parse(os.Args[1:])
	switch {
	case errors.Is(err, flag.ErrHelp):
		return
	case err != nil:
		os.Exit(2)
	}
	if err := s.serve(ctx, os.Stdout); err != nil {
		fmt.Fprintf(os.Stderr, "optimisation: %v\n", err)
		stop()
		os.Exit(1)
	}
}

func parse(args []string) (*settings, error) {
	s := new(settings)
	flags := flag.NewFlagSet("optimisation", flag.ContinueOnError)
	flags.StringVar(&s.network, "network", os.Getenv("CAIRN_NETWORK"), "folder of a network (CAIRN_NETWORK)")
	flags.StringVar(&s.key, "key", "producer", "key that signs proposals: a file, or a name in the network's keys")
	flags.StringVar(&s.token, "token", os.Getenv("CAIRN_TOKEN"), "token of the scope consume at the first node (CAIRN_TOKEN)")
	flags.StringVar(&s.name, "name", "optimisation", "subscription that keeps the place. One process a name")
	flags.StringVar(&s.from, "from", "beginning", "where a new subscription begins: beginning, now, an index or a time")
	flags.DurationVar(&s.idle, "idle", 0, "end once no evaluation came for so long; 0 goes on")
	flags.Int64Var(&s.policy.TargetBp, "target", 7000, "occupancy that is wanted, in basis points")
	flags.Int64Var(&s.policy.Kp, "kp", 100, "cents for a change of the error by 10000 basis points")
	flags.Int64Var(&s.policy.Ki, "ki", 200, "cents for an error of 10000 basis points")
	flags.Int64Var(&s.policy.Floor, "floor", 25, "least price, in cents")
	flags.Int64Var(&s.policy.Ceiling, "ceiling", 800, "greatest price, in cents")
	flags.Int64Var(&s.policy.Step, "step", 50, "most that one proposal moves a price, in cents")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	err := s.policy.validate()
	if flags.NArg() > 0 || s.network == "" {
		err = errors.New("needs --network, and takes no arguments")
	}
	if err != nil {
		fmt.Fprintf(flags.Output(), "optimisation: %v\n", err)
	}
	return s, err
}

// serve answers what the subscription brings.
func (s *settings) serve(ctx context.Context, out io.Writer) error {
	if s.token == "" {
		return errors.New("--token: the operator of the first node makes one with `cairnd token add NAME --home HOME --scope consume`")
	}
	folder, err := netdir.Open(s.network)
	if err != nil {
		return err
	}
	key, err := folder.Key(s.key)
	if err != nil {
		return err
	}
	c, err := folder.Client()
	if err != nil {
		return err
	}
	subscriptions := c.Subscriptions(folder.Nodes[0], s.token)
	wanted := rest.NewSubscription{Name: s.name, From: s.from, Filters: derive.ExactType(typeEvaluated)}
	if _, err := subscriptions.Create(ctx, wanted); err != nil {
		return err
	}
	address := key.Address()
	fmt.Fprintf(out, "proposes as   %s\nto be let in  cairn contract call parking proposer --args '{\"address\":%q,\"maxStepCents\":%d}'\n",
		address, base64.StdEncoding.EncodeToString(address[:]), s.policy.Step)
	return derive.Run(ctx, derive.Config{
		Client: c, Key: key, Subscriptions: subscriptions, Name: s.name, Idle: s.idle,
		Progress: func(p derive.Progress) {
			fmt.Fprintf(out, "evaluations %d, proposals final %d, made before %d; up to entry %d\n", p.Inputs, p.Made, p.Known, p.Last)
		},
	}, &optimiser{policy: s.policy})
}
