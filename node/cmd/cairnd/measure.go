package main

import (
	"os"
	"os/signal"
	"path/filepath"
	"runtime/pprof"
	"sync"
	"syscall"

	"github.com/spf13/cobra"
)

// measuring is what `cairn bench` asks of validators and no ledger needs.
type measuring struct {
	noop    bool // the consensus engine as it is tuned here, with an application that does nothing
	profile bool // write where processor time goes
}

// profileFile is in the home of a validator that is profiled.
const profileFile = "cpu.pprof"

// flags adds both, hidden.
func (m *measuring) flags(cmd *cobra.Command) {
	for _, f := range [...]struct {
		into        *bool
		name, about string
	}{
		{&m.noop, "noop", "run an application that does nothing, to measure the engine alone"},
		{&m.profile, "cpu-profile", "write a processor profile to " + profileFile + " in the home, until the node stops or gets the signal USR1"},
	} {
		cmd.Flags().BoolVar(f.into, f.name, false, f.about)
		cmd.Flags().MarkHidden(f.name)
	}
}

// args are the flags that lead to the same.
func (m *measuring) args() (args []string) {
	if m.noop {
		args = append(args, "--noop")
	}
	if m.profile {
		args = append(args, "--cpu-profile")
	}
	return args
}

// start begins a profile where one is wanted; what it answers ends it, and so
// does the signal USR1 before: what follows the load is not to be in it.
func (m *measuring) start(home string) (stop func(), err error) {
	if !m.profile {
		return func() {}, nil
	}
	file, err := os.Create(filepath.Join(home, profileFile))
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(file); err != nil {
		file.Close()
		return nil, err
	}
	stop = sync.OnceFunc(func() {
		pprof.StopCPUProfile()
		file.Close()
	})
	enough := make(chan os.Signal, 1)
	signal.Notify(enough, syscall.SIGUSR1)
	go func() {
		<-enough
		stop()
	}()
	return stop, nil
}
