// Command predictive scores readings on a ledger with a model and puts the
// scores back on record: each prediction names the model, its version, the
// hash of its file and the entries it was made of, so that anyone can score
// again. README.md shows it at work.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/cairn-ledger/cairn/client/derive"
	"github.com/cairn-ledger/cairn/client/model"
	"github.com/cairn-ledger/cairn/client/netdir"
	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
)

const usage = `usage: predictive [flags]         score readings until Ctrl-C
       predictive check [flags]   score every recorded prediction of an asset again

`

// Exit codes: 0 done, 1 failed, or a prediction that does not reproduce, 2 wrong usage.
const (
	exitFailed = 1
	exitUsage  = 2
)

// settings are the flags.
type settings struct {
	network, model, key, token, name, from, asset, producer string
	verify                                                  bool
	idle                                                    time.Duration
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	args, check := os.Args[1:], false
	if len(args) > 0 && args[0] == "check" {
		args, check = args[1:], true
	}
	s, err := parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return
	case err != nil:
		os.Exit(exitUsage)
	}
	if check {
		err = s.check(ctx, os.Stdout)
	} else {
		err = s.serve(ctx, os.Stdout)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "predictive: %v\n", err)
		stop()
		os.Exit(exitFailed)
	}
}

func parse(args []string) (*settings, error) {
	s := new(settings)
	flags := flag.NewFlagSet("predictive", flag.ContinueOnError)
	flags.Usage = func() {
		fmt.Fprint(flags.Output(), usage)
		flags.PrintDefaults()
	}
	flags.StringVar(&s.network, "network", os.Getenv("CAIRN_NETWORK"), "folder of a network (CAIRN_NETWORK)")
	flags.StringVar(&s.model, "model", "", "model file")
	flags.StringVar(&s.key, "key", "producer", "key that signs predictions: a file, or a name in the network's keys")
	flags.StringVar(&s.token, "token", os.Getenv("CAIRN_TOKEN"), "token of the scope consume at the first node (CAIRN_TOKEN)")
	flags.StringVar(&s.name, "name", "", "subscription that keeps the place; that of the model without one. One process a name")
	flags.StringVar(&s.from, "from", "beginning", "where a new subscription begins: beginning, now, an index or a time")
	flags.BoolVar(&s.verify, "receipts", false, "have each reading's receipt fetched and verified")
	flags.DurationVar(&s.idle, "idle", 0, "end once no reading came for so long; 0 goes on")
	flags.StringVar(&s.asset, "asset", "", "check: the asset whose predictions are scored again")
	flags.StringVar(&s.producer, "producer", "", "check: address that signed them; the key's without one")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if flags.NArg() > 0 || s.network == "" || s.model == "" {
		err := errors.New("predictive: needs --network and --model, and takes no arguments")
		fmt.Fprintln(flags.Output(), err)
		return nil, err
	}
	return s, nil
}

// serve scores what the subscription brings.
func (s *settings) serve(ctx context.Context, out io.Writer) error {
	if s.token == "" {
		return errors.New("--token: the operator of the first node makes one with `cairnd token add NAME --home HOME --scope consume`")
	}
	m, err := model.Load(s.model)
	if err != nil {
		return err
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
	if s.name == "" {
		s.name = "model-" + m.Hash.String()[:16]
	}
	subscriptions := c.Subscriptions(folder.Nodes[0], s.token)
	wanted := rest.NewSubscription{Name: s.name, From: s.from, Filters: derive.ExactType(m.Input.Type)}
	if _, err := subscriptions.Create(ctx, wanted); err != nil {
		return err
	}
	fmt.Fprintf(out, "model         %s %s, %s, sha256 %s\nreads         %s, subscription %s\nsigns as      %s\n",
		m.Name, m.Version, m.Kind, m.Hash, m.Input.Type, s.name, key.Address())
	return derive.Run(ctx, derive.Config{
		Client: c, Key: key, Subscriptions: subscriptions, Name: s.name, Verify: s.verify, Idle: s.idle,
		Progress: func(p derive.Progress) {
			fmt.Fprintf(out, "%d readings, %d predictions final, %d made before; up to entry %d\n", p.Inputs, p.Made, p.Known, p.Last)
		},
	}, &predictor{model: m, entry: func(ctx context.Context, index uint64) (*protocol.Event, error) {
		e, err := c.Entry(ctx, index)
		return e.Event, err
	}})
}
