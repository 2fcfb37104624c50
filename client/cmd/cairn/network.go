package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/cairn-ledger/cairn/client"
	"github.com/cairn-ledger/cairn/client/netdir"
	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/genesis"
)

// genesisPath is the founding document that the flags lead to; no node is
// needed.
func (s *session) genesisPath() (string, error) {
	switch {
	case s.genesis != "":
		return s.genesis, nil
	case s.network == "":
		return "", usageError{errors.New("say which ledger: --genesis FILE, or --network DIR")}
	}
	folder, err := netdir.Open(s.network)
	if err != nil {
		return "", err
	}
	return folder.Genesis, nil
}

// connect makes a client from --network, or from --node and --genesis.
func (s *session) connect() (*ledger, error) {
	nodes, genesisFile := []string{s.node}, s.genesis
	switch {
	case s.network != "" && (s.node != "" || s.genesis != ""):
		return nil, usageError{errors.New("--network stands alone; --node and --genesis go together")}
	case s.network != "":
		folder, err := netdir.Open(s.network)
		if err != nil {
			return nil, err
		}
		nodes, genesisFile = folder.Nodes, folder.Genesis
	case s.node == "" || s.genesis == "":
		return nil, usageError{errors.New("say which ledger: --network DIR, or --node URL --genesis FILE")}
	}
	return s.connectTo(nodes, genesisFile)
}

// connectTo makes a client of nodes whose ledger a founding document began.
func (s *session) connectTo(nodes []string, genesisFile string) (*ledger, error) {
	if genesisFile == "" {
		return nil, usageError{errors.New("the founding document is missing; nodes and genesis go together")}
	}
	doc, err := genesis.Load(genesisFile)
	if err != nil {
		return nil, err
	}
	trust, err := doc.Trust()
	if err != nil {
		return nil, err
	}
	as, err := s.actAs()
	if err != nil {
		return nil, err
	}
	secured, err := s.tls.config()
	if err != nil {
		return nil, err
	}
	c, err := client.New(client.Config{
		Nodes: nodes, ChainID: doc.ChainID, Trust: trust, As: as, TLS: secured,
		Waiting: func(why error) { fmt.Fprintf(os.Stderr, "cairn: waiting: %v\n", why) },
	})
	if err != nil {
		return nil, usageError{err}
	}
	return &ledger{c}, nil
}

// key loads a key: a file, or a name inside the network's keys folder.
func (s *session) key(nameOrFile string) (protocol.PrivateKey, error) {
	if s.network == "" {
		return netdir.ReadKey(nameOrFile)
	}
	return (&netdir.Folder{Dir: s.network}).Key(nameOrFile)
}
