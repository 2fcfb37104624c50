package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// binDir holds the programs under test, each built once.
var binDir = sync.OnceValues(func() (string, error) { return os.MkdirTemp("", "cairn-e2e-bin-") })

var builds = map[string]func() error{
	"cairnd": sync.OnceValue(func() error { return build("./node/cmd/cairnd") }),
	"cairn":  sync.OnceValue(func() error { return build("./client/cmd/cairn") }),

	"predictive": sync.OnceValue(func() error { return build("./client/examples/predictive") }),
}

func build(pkg string) error {
	dir, err := binDir()
	if err != nil {
		return err
	}
	cmd := exec.Command("go", "build", "-o", dir, pkg)
	if raced {
		cmd = exec.Command("go", "build", "-race", "-o", dir, pkg)
	}
	cmd.Dir = "../.."
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build %s: %w\n%s", pkg, err, out)
	}
	return nil
}

func TestMain(m *testing.M) {
	if setting := os.Getenv(kafkaVariable); setting != "" {
		fmt.Fprintln(os.Stderr, beKafka(setting))
		os.Exit(1)
	}
	os.Exit(runAll(m))
}

// runAll runs the tests. A process that they start writes each data race it
// sees into a file: most of them are killed, and none could fail a test itself.
func runAll(m *testing.M) int {
	dir, err := binDir()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	races := filepath.Join(dir, "race")
	if raced {
		os.Setenv("GORACE", "log_path="+races)
	}
	code := m.Run()
	reports, err := filepath.Glob(races + ".*")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	for _, path := range reports {
		text, err := os.ReadFile(path)
		fmt.Fprintf(os.Stderr, "data races of a process, %v:\n%s\n", err, text)
		code = 1
	}
	return code
}

// binary answers the path of a program, built.
func binary(t testing.TB, name string) string {
	t.Helper()
	if err := builds[name](); err != nil {
		t.Fatal(err)
	}
	dir, err := binDir()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, name)
}

// network is a running devnet whose nodes a test kills and restarts.
type network struct {
	t     testing.TB
	dir   string
	nodes []*node
}

// node is one validator process.
type node struct {
	Name string `json:"name"`
	API  string `json:"api"`
	RPC  string `json:"rpc"`
	Home string `json:"home"`

	cmd *exec.Cmd
	log *os.File
}

// startNetwork generates a network of n validators and starts each as a
// process of the test's own, so that it can be killed and started again.
func startNetwork(t testing.TB, n int) *network {
	t.Helper()
	dir := t.TempDir()
	run(t, binary(t, "cairnd"), "devnet", "--home", dir, "--validators", fmt.Sprint(n), "--base-port", fmt.Sprint(freePorts(t, n)), "--detach")
	run(t, binary(t, "cairnd"), "devnet", "stop", "--home", dir)
	text, err := os.ReadFile(filepath.Join(dir, "network.json"))
	if err != nil {
		t.Fatal(err)
	}
	nw := &network{t: t, dir: dir}
	var file struct {
		Nodes []*node `json:"nodes"`
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	nw.nodes = file.Nodes
	t.Cleanup(nw.stop)
	for _, node := range nw.nodes {
		nw.start(node)
	}
	nw.waitReady()
	return nw
}

// freePorts finds a base so that n API ports, and the RPC and p2p ports 1,000
// and 2,000 above them, are free right now. It stays below the ports that
// outgoing connections are given.
func freePorts(t testing.TB, n int) int {
	t.Helper()
	for range 200 {
		base := 12_000 + rand.IntN(17_000)
		if allFree(base, n) && allFree(base+1_000, n) && allFree(base+2_000, n) {
			return base
		}
	}
	t.Fatal("no run of free ports on loopback")
	return 0
}

func allFree(base, n int) bool {
	for port := base; port < base+n; port++ {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			return false
		}
		l.Close()
	}
	return true
}

func (nw *network) start(n *node) {
	nw.t.Helper()
	log, err := os.OpenFile(filepath.Join(nw.dir, n.Name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		nw.t.Fatal(err)
	}
	n.log = log
	n.cmd = exec.Command(binary(nw.t, "cairnd"), "start", "--home", n.Home)
	n.cmd.Env = append(os.Environ(), "CAIRN_EXECUTE_AHEAD=true") // as on machines of their own
	n.cmd.Stdout, n.cmd.Stderr = log, log
	if err := n.cmd.Start(); err != nil {
		nw.t.Fatal(err)
	}
}

// kill is kill -9: nothing gets a chance to tidy up.
func (nw *network) kill(n *node) {
	if n.cmd == nil {
		return
	}
	n.cmd.Process.Kill()
	n.cmd.Wait()
	n.log.Close()
	n.cmd = nil
}

func (nw *network) stop() {
	for _, n := range nw.nodes {
		nw.kill(n)
	}
	if nw.t.Failed() {
		for _, n := range nw.nodes {
			text, _ := os.ReadFile(filepath.Join(nw.dir, n.Name+".log"))
			nw.t.Logf("last words of %s:\n%s", n.Name, text[max(0, len(text)-2_000):])
		}
	}
}

func (nw *network) waitReady() {
	nw.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for _, n := range nw.nodes {
		for {
			if status, _ := get(n.API + "/readyz"); status == http.StatusOK {
				break
			}
			select {
			case <-ctx.Done():
				nw.t.Fatalf("%s is not ready after a minute", n.Name)
			case <-time.After(100 * time.Millisecond):
			}
		}
	}
}

var httpClient = &http.Client{Timeout: 20 * time.Second}

func get(url string) (int, []byte) {
	response, err := httpClient.Get(url)
	if err != nil {
		return 0, []byte(err.Error())
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, []byte(err.Error())
	}
	return response.StatusCode, body
}

func getJSON(t testing.TB, url string, into any) {
	t.Helper()
	status, body := get(url)
	if status != http.StatusOK {
		t.Fatalf("GET %s: %d %s", url, status, body)
	}
	if err := json.Unmarshal(body, into); err != nil {
		t.Fatalf("GET %s: %v: %s", url, err, body)
	}
}

// run runs a program to its end and answers its standard output.
func run(t testing.TB, name string, args ...string) string {
	t.Helper()
	out, code := runCode(t, name, args...)
	if code != 0 {
		t.Fatalf("%s %v: exit %d\n%s", filepath.Base(name), args, code, out)
	}
	return out
}

// runCode runs a program; on failure the output is what it said on both streams.
func runCode(t testing.TB, name string, args ...string) (string, int) {
	t.Helper()
	cmd := exec.Command(name, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if err == nil {
		return stdout.String(), 0
	}
	if exit, ok := err.(*exec.ExitError); ok {
		return stdout.String() + stderr.String(), exit.ExitCode()
	}
	t.Fatal(err)
	return "", 0
}

// head is what every node must agree on at one height.
type head struct {
	Height  uint64 `json:"height"`
	LogSize uint64 `json:"logSize"`
	AppHash string `json:"appHash"`
}

// agreed waits until all nodes have the same head and answers it.
func (nw *network) agreed() head {
	nw.t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		heads := make([]head, len(nw.nodes))
		same := true
		for i, n := range nw.nodes {
			getJSON(nw.t, n.API+"/v1/head", &heads[i])
			same = same && heads[i] == heads[0]
		}
		if same {
			return heads[0]
		}
		if time.Now().After(deadline) {
			nw.t.Fatalf("heads differ after a minute: %+v", heads)
		}
		time.Sleep(200 * time.Millisecond)
	}
}
