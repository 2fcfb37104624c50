package bench

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// devnet is a network of validators on loopback, one process each, that a
// bench started and stops.
type devnet struct {
	dir   string
	nodes []*validator

	cmd  *exec.Cmd
	said *lastWords
	done chan struct{} // closes when the process has ended
}

// validator is one process.
type validator struct {
	Name string `json:"name"`
	API  string `json:"api"`
	RPC  string `json:"rpc"`
	Home string `json:"home"`
	PID  int    `json:"-"`
}

// readyWithin bounds how long a network may take to answer.
const readyWithin = 90 * time.Second

// startDevnet founds a network in dir with the program cairnd and waits until
// it is up. flags go to `cairnd devnet`.
func startDevnet(ctx context.Context, cairnd, dir string, validators int, flags ...string) (*devnet, error) {
	base, err := freePorts(validators)
	if err != nil {
		return nil, err
	}
	args := append([]string{"devnet", "--home", dir, "--validators", strconv.Itoa(validators), "--base-port", strconv.Itoa(base)}, flags...)
	d := &devnet{dir: dir, cmd: exec.Command(cairnd, args...), said: &lastWords{}, done: make(chan struct{})}
	d.cmd.Stderr, d.cmd.Env = d.said, environment()
	out, err := d.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := d.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", cairnd, err)
	}
	up := make(chan struct{})
	go d.listen(out, up)
	select {
	case <-up:
	case <-d.done:
		return nil, fmt.Errorf("`cairnd devnet` ended before it was up: %s", d.said.text())
	case <-time.After(readyWithin):
		d.stop()
		return nil, fmt.Errorf("the network is not up after %s", readyWithin)
	case <-ctx.Done():
		d.stop()
		return nil, ctx.Err()
	}
	if err := d.read(); err != nil {
		d.stop()
		return nil, err
	}
	return d, nil
}

// listen waits for the words that the network is up, then for the process's end.
func (d *devnet) listen(out io.Reader, up chan struct{}) {
	lines := bufio.NewScanner(out)
	tell := sync.OnceFunc(func() { close(up) })
	for lines.Scan() {
		if strings.Contains(lines.Text(), "the network is up") {
			tell()
		}
	}
	d.cmd.Wait() // how it ended is in what it said
	close(d.done)
}

// read learns where the nodes are.
func (d *devnet) read() error {
	text, err := os.ReadFile(filepath.Join(d.dir, "network.json"))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, &struct{ Nodes *[]*validator }{&d.nodes}); err != nil || len(d.nodes) == 0 {
		return errors.Join(fmt.Errorf("%s names no nodes", filepath.Join(d.dir, "network.json")), err)
	}
	for _, n := range d.nodes {
		text, err := os.ReadFile(filepath.Join(n.Home, "cairnd.pid"))
		if err != nil {
			return err
		}
		if n.PID, err = strconv.Atoi(strings.TrimSpace(string(text))); err != nil {
			return err
		}
	}
	return nil
}

// died says whether the network has ended, and why.
func (d *devnet) died() error {
	select {
	case <-d.done:
		return fmt.Errorf("the network has ended: %s", d.said.text())
	default:
	}
	if text := d.said.text(); text != "" { // a node died, the others go on
		return errors.New(text)
	}
	return nil
}

// stop ends the processes in order and waits for them.
func (d *devnet) stop() {
	d.cmd.Process.Signal(os.Interrupt)
	select {
	case <-d.done:
	case <-time.After(20 * time.Second):
		d.cmd.Process.Kill()
		<-d.done
	}
}

// environment is this process's without what would lead the nodes elsewhere.
func environment() (kept []string) {
	for _, pair := range os.Environ() {
		name, _, _ := strings.Cut(pair, "=")
		if name != "CAIRN_HOME" && name != "CAIRN_NETWORK" {
			kept = append(kept, pair)
		}
	}
	return kept
}

// lastWords keeps the end of what a process says.
type lastWords struct {
	mu   sync.Mutex
	said bytes.Buffer // guarded by mu
}

func (w *lastWords) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.said.Len() < 64<<10 {
		w.said.Write(p)
	}
	return len(p), nil
}

func (w *lastWords) text() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.TrimSpace(w.said.String())
}

// freePorts finds a base so that n API ports, and the RPC and p2p ports 1,000
// and 2,000 above, are free now. They are below those of outgoing connections.
func freePorts(n int) (int, error) {
	for range 200 {
		base := 12_000 + rand.IntN(17_000)
		if allFree(base, n) && allFree(base+1_000, n) && allFree(base+2_000, n) {
			return base, nil
		}
	}
	return 0, fmt.Errorf("no run of %d free ports on loopback", n)
}

func allFree(base, n int) bool {
	for port := base; port < base+n; port++ {
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			return false
		}
		l.Close()
	}
	return true
}
