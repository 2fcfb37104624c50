package node

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"

	cmtlog "github.com/cometbft/cometbft/libs/log"
)

func newLogger(c *Config, to io.Writer) (*slog.Logger, error) {
	level, err := c.level()
	if err != nil {
		return nil, err
	}
	options := &slog.HandlerOptions{Level: level}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(to, options)), nil
	}
	return slog.New(slog.NewTextHandler(to, options)), nil
}

// cometLogger passes on what CometBFT says. Its information lines come many
// times a block, so they are debug lines here; so is everything it says while
// it stops, when it reports each closed connection as an error.
type cometLogger struct {
	log      *slog.Logger
	stopping *atomic.Bool
	failed   func(error) // consensus has ended for good
}

// cometFailure is what CometBFT says, and all it does, when its consensus ends
// by a panic: where its disk is full, say. The process would go on to answer
// that it is ready.
const cometFailure = "CONSENSUS FAILURE!!!"

func (l cometLogger) Debug(string, ...any) {} // formatted eagerly, in the hundreds a second

func (l cometLogger) Info(msg string, pairs ...any) {
	if l.log.Enabled(context.Background(), slog.LevelDebug) {
		l.log.Debug(msg, pairs...)
	}
}

func (l cometLogger) Warn(msg string, pairs ...any) {
	level := slog.LevelWarn
	if l.stopping.Load() {
		level = slog.LevelDebug
	}
	l.log.Log(context.Background(), level, msg, pairs...)
}

func (l cometLogger) Error(msg string, pairs ...any) {
	l.Warn(msg, pairs...)
	if msg == cometFailure && !l.stopping.Load() {
		var cause any
		for i := 0; i+1 < len(pairs); i += 2 {
			if pairs[i] == "err" {
				cause = pairs[i+1]
			}
		}
		l.failed(fmt.Errorf("consensus failed: %s", firstLine(fmt.Sprint(cause))))
	}
}

func (l cometLogger) With(pairs ...any) cmtlog.Logger {
	return cometLogger{l.log.With(pairs...), l.stopping, l.failed}
}
