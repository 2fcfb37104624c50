package devnet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/cairn-ledger/cairn/node"
)

// Files of a running node in its home.
const (
	PIDFile = "cairnd.pid"
	logFile = "cairnd.log"
)

// readyWithin bounds how long a network may take to answer.
const readyWithin = 60 * time.Second

// Running is a network whose processes this process started.
type Running struct {
	network *Network
	pids    []int
	died    chan error // one value for each process that ended
	release func()     // ends the thread the processes belong to
}

// Pid is the process of node i.
func (r *Running) Pid(i int) int { return r.pids[i] }

// Start starts every node as a process of this binary and waits until all are
// ready. With detach the processes outlive this one; otherwise they die with it.
// flags are further ones of `cairnd start`.
func Start(ctx context.Context, n *Network, detach bool, flags ...string) (*Running, error) {
	if alive := n.alive(); len(alive) > 0 {
		return nil, fmt.Errorf("the network in %s runs already (%s is process %d); `cairnd devnet stop --home %s` ends it", n.dir, alive[0].name, alive[0].pid, n.dir)
	}
	if err := n.checkPorts(); err != nil {
		return nil, err
	}
	if err := n.write(); err != nil { // its paths may be new
		return nil, err
	}
	binary, err := os.Executable()
	if err != nil {
		return nil, err
	}
	r := &Running{network: n, died: make(chan error, len(n.Nodes))}
	started := make(chan error, 1)
	over := make(chan struct{})
	r.release = sync.OnceFunc(func() { close(over) })
	go func() {
		// The kernel ties a child's death signal to the thread that made it,
		// so that thread has to live as long as the network.
		runtime.LockOSThread()
		started <- r.spawn(binary, detach, flags)
		<-over
	}()
	if err := <-started; err != nil {
		r.stop()
		return nil, err
	}
	if err := r.waitReady(ctx); err != nil {
		r.stop()
		return nil, err
	}
	return r, nil
}

// checkPorts tries every port before any process starts, so that a busy one is
// one sentence and not a node that died.
func (n *Network) checkPorts() error {
	for _, address := range n.Nodes {
		c, err := node.LoadConfig(address.Home, nil, nil)
		if err != nil {
			return err
		}
		for _, port := range [...]struct{ use, at string }{{"API", c.APIAddress}, {"RPC", c.RPCAddress}, {"p2p", c.P2PAddress}} {
			if err := checkPort(port.at, port.use+" address of "+address.Name); err != nil {
				return err
			}
		}
	}
	return nil
}

// CheckPorts tries the ports that a network founded with these options will
// use, before it is founded.
func (o Options) CheckPorts() error {
	if err := o.validate(); err != nil {
		return err
	}
	for i := range o.Validators {
		for _, offset := range [...]int{0, rpcOffset, p2pOffset} {
			if err := checkPort(loopback(o.BasePort+offset+i), fmt.Sprintf("address of node%d", i)); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkPort(address, what string) error {
	if address == "" {
		return nil
	}
	l, err := net.Listen("tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%s, the %s, is in use by another process; stop it, or found a network on other ports with --base-port", address, what)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return l.Close()
}

func (r *Running) spawn(binary string, detach bool, flags []string) error {
	for _, address := range r.network.Nodes {
		log, err := os.OpenFile(filepath.Join(address.Home, logFile), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		cmd := exec.Command(binary, append([]string{"start", "--home", address.Home}, flags...)...)
		cmd.Stdout, cmd.Stderr = log, log
		cmd.SysProcAttr = childAttributes(detach)
		err = cmd.Start()
		log.Close()
		if err != nil {
			return fmt.Errorf("start %s: %w", address.Name, err)
		}
		r.pids = append(r.pids, cmd.Process.Pid)
		if err := os.WriteFile(filepath.Join(address.Home, PIDFile), []byte(strconv.Itoa(cmd.Process.Pid)), 0o600); err != nil {
			return err
		}
		go func() {
			err := cmd.Wait()
			os.Remove(filepath.Join(address.Home, PIDFile))
			r.died <- fmt.Errorf("%s (process %d) ended: %v; `cairnd start --home %s` starts it again; its last words:\n%s",
				address.Name, cmd.Process.Pid, err, address.Home, lastLines(address.Home, 3))
		}()
	}
	return nil
}

// lastLines are the end of a node's log, for the person who asks why.
func lastLines(home string, n int) string {
	text, err := os.ReadFile(filepath.Join(home, logFile))
	if err != nil {
		return err.Error()
	}
	lines := bytes.Split(bytes.TrimSpace(text[max(0, len(text)-8192):]), []byte("\n"))
	return "  " + string(bytes.Join(lines[max(0, len(lines)-n):], []byte("\n  ")))
}

// waitReady polls each node's /readyz until it answers 200.
func (r *Running) waitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	client := &http.Client{Timeout: 2 * time.Second}
	for _, address := range r.network.Nodes {
		for !isReady(ctx, client, address.API) {
			select {
			case err := <-r.died:
				return err
			case <-ctx.Done():
				return fmt.Errorf("%s is not ready after %s; its log is %s", address.Name, readyWithin, filepath.Join(address.Home, logFile))
			case <-time.After(50 * time.Millisecond):
			}
		}
	}
	return nil
}

func isReady(ctx context.Context, client *http.Client, api string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, api+"/readyz", nil)
	if err != nil {
		return false
	}
	response, err := client.Do(request)
	if err != nil {
		return false
	}
	response.Body.Close()
	return response.StatusCode == http.StatusOK
}

// Wait returns when ctx ends, after stopping the nodes in order. A node that
// dies is reported and not started again, so that nothing is hidden; the others
// go on, as a network of validators should. The error says that nodes died.
func (r *Running) Wait(ctx context.Context, report func(error)) error {
	for died := 1; ; died++ {
		select {
		case <-ctx.Done():
			r.stop()
			if died > 1 {
				return fmt.Errorf("%d of %d nodes died while the network ran", died-1, len(r.pids))
			}
			return nil
		case err := <-r.died:
			report(err)
			if died == len(r.pids) {
				r.stop()
				return errors.New("every node has died")
			}
		}
	}
}

// stop ends every process: first asked, after ten seconds forced.
func (r *Running) stop() {
	defer r.release()
	for _, pid := range r.pids {
		syscall.Kill(pid, syscall.SIGTERM)
	}
	deadline := time.Now().Add(10 * time.Second)
	for _, pid := range r.pids {
		if !waitGone(pid, time.Until(deadline)) {
			syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

func waitGone(pid int, within time.Duration) bool {
	for deadline := time.Now().Add(within); ; time.Sleep(20 * time.Millisecond) {
		if !isNode(pid) {
			return true
		}
		if time.Now().After(deadline) {
			return false
		}
	}
}

// process is a node found alive.
type process struct {
	name string
	pid  int
	home string
}

// alive lists the nodes whose pid file names a process of this program.
func (n *Network) alive() (found []process) {
	for _, address := range n.Nodes {
		text, err := os.ReadFile(filepath.Join(address.Home, PIDFile))
		if err != nil {
			continue
		}
		if pid, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil && isNode(pid) {
			found = append(found, process{address.Name, pid, address.Home})
		}
	}
	return found
}

// isNode says whether a process lives and runs cairnd; a pid may have been
// given to another program since. Where there is no /proc, a living process
// is taken for ours.
func isNode(pid int) bool {
	if err := syscall.Kill(pid, 0); err != nil && !errors.Is(err, syscall.EPERM) {
		return false
	}
	if _, err := os.Stat("/proc/self/cmdline"); err != nil {
		return true
	}
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return err == nil && bytes.Contains(line, []byte("start\x00--home"))
}

// Stop ends a folder's network, whoever started it, and answers how many
// nodes were running.
func Stop(ctx context.Context, dir string) (int, error) {
	network, err := Load(dir)
	if err != nil {
		return 0, err
	}
	if network == nil {
		return 0, fmt.Errorf("%s holds no network", dir)
	}
	network.dir = dir
	alive := network.alive()
	for _, p := range alive {
		if err := syscall.Kill(p.pid, syscall.SIGTERM); err != nil && !errors.Is(err, syscall.ESRCH) {
			return 0, fmt.Errorf("%s (process %d): %w", p.name, p.pid, err)
		}
	}
	for _, p := range alive {
		within := 10 * time.Second
		if deadline, ok := ctx.Deadline(); ok {
			within = min(within, time.Until(deadline))
		}
		if !waitGone(p.pid, within) {
			syscall.Kill(p.pid, syscall.SIGKILL)
		}
		os.Remove(filepath.Join(p.home, PIDFile))
	}
	return len(alive), nil
}
