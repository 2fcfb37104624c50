package app

import (
	"context"
	"sync"

	abcicli "github.com/cometbft/cometbft/abci/client"
	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/cometbft/cometbft/libs/service"
	"github.com/cometbft/cometbft/proxy"
)

// Clients makes CometBFT's four connections to the application without a lock
// around them. CometBFT's own local clients hold one mutex for all calls of a
// connection or of the application: checking the signatures of what gossip and
// the API bring in would then run on one core, and wait for block execution.
// The application synchronises itself.
func Clients(a abci.Application) proxy.ClientCreator { return clients{a} }

type clients struct{ app abci.Application }

// NewABCIClient makes one connection.
func (c clients) NewABCIClient() (abcicli.Client, error) {
	made := &client{Application: c.app}
	made.BaseService = *service.NewBaseService(nil, "application", made)
	return made, nil
}

// client calls the application on the caller's goroutine.
type client struct {
	service.BaseService
	abci.Application

	mu       sync.Mutex
	callback abcicli.Callback // of the mempool, for rechecks; guarded by mu
}

// SetResponseCallback registers what is told of every check.
func (c *client) SetResponseCallback(callback abcicli.Callback) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.callback = callback
}

// CheckTxAsync checks at once; it is asynchronous in name only.
func (c *client) CheckTxAsync(ctx context.Context, req *abci.RequestCheckTx) (*abcicli.ReqRes, error) {
	res, err := c.CheckTx(ctx, req)
	if err != nil {
		return nil, err
	}
	done := abcicli.NewReqRes(abci.ToRequestCheckTx(req))
	done.Response = abci.ToResponseCheckTx(res)
	c.mu.Lock()
	callback := c.callback
	c.mu.Unlock()
	if callback != nil {
		callback(done.Request, done.Response)
	}
	done.InvokeCallback() // a callback set from here on runs at once
	return done, nil
}

// Error is of remote connections.
func (c *client) Error() error { return nil }

// Flush is of remote connections.
func (c *client) Flush(context.Context) error { return nil }

// Echo is of remote connections.
func (c *client) Echo(_ context.Context, message string) (*abci.ResponseEcho, error) {
	return &abci.ResponseEcho{Message: message}, nil
}
