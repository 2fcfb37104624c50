package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cairn-ledger/cairn/client/rest"
)

// smallDisk gives a stopped node a file system of its own for its outbox and
// subscriptions, and answers a function that fills it and one that frees it.
func (nw *network) smallDisk(n *node) (fill, free func()) {
	nw.t.Helper()
	dir := filepath.Join(n.Home, "local")
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=48m,mode=0700", "tmpfs", dir).CombinedOutput(); err != nil {
		nw.t.Skipf("no file system can be mounted here: %v: %s", err, out)
	}
	nw.t.Cleanup(func() {
		nw.kill(n)
		if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
			nw.t.Errorf("umount: %v: %s", err, out)
		}
	})
	ballast := filepath.Join(dir, "ballast")
	fill = func() {
		file, err := os.Create(ballast)
		if err != nil {
			nw.t.Fatal(err)
		}
		defer file.Close()
		for err == nil {
			_, err = file.Write(make([]byte, 4<<10))
		}
		if !errors.Is(err, syscall.ENOSPC) {
			nw.t.Fatal(err)
		}
	}
	return fill, func() { os.Remove(ballast) }
}

// A node whose outbox finds the disk full halts with a sentence that says so,
// and once there is room goes on with everything it had answered 202 for.
func TestFullDiskHaltsTheNode(t *testing.T) {
	nw := startNetwork(t, 1)
	n := nw.nodes[0]
	nw.kill(n)
	fill, free := nw.smallDisk(n)
	token := strings.TrimSpace(run(t, binary(t, "cairnd"), "token", "add", "test", "--home", n.Home))
	nw.start(n)
	nw.waitReady()
	const perBatch = 200
	taken, producer := 0, ""
	post := func() bool {
		status, out := postBatch(n, token, "", batchOf(0, taken, perBatch))
		if status != http.StatusAccepted {
			return false
		}
		taken, producer = taken+perBatch, out.Producer.String()
		return true
	}
	for range 5 {
		post()
	}
	fill()
	exited := make(chan error, 1)
	go func() { exited <- n.cmd.Wait() }()
	for begun := time.Now(); post(); {
		if time.Since(begun) > time.Minute {
			t.Fatal("the outbox never filled its disk")
		}
	}
	select {
	case <-exited:
	case <-time.After(30 * time.Second):
		t.Fatal("the node went on with a full disk")
	}
	code := n.cmd.ProcessState.ExitCode()
	n.log.Close()
	n.cmd = nil
	said, err := os.ReadFile(filepath.Join(nw.dir, n.Name+".log"))
	if err != nil || code != 70 || !strings.Contains(string(said), "node halted: local: the disk failed: ") || strings.Contains(string(said), "goroutine ") {
		t.Fatalf("exit code %d, %v, last words:\n%s", code, err, said[max(0, len(said)-1000):])
	}
	free()
	nw.start(n)
	nw.waitReady()
	var stream rest.Stream
	for deadline := time.Now().Add(30 * time.Second); stream.Next < uint64(taken); time.Sleep(100 * time.Millisecond) {
		getJSON(t, fmt.Sprintf("%s/v1/streams/%s/gateway", n.API, producer), &stream)
		if time.Now().After(deadline) {
			t.Fatalf("%d events were answered 202, the ledger holds %d", taken, stream.Next)
		}
	}
	t.Logf("%d events answered 202 before the disk was full; exit code 70; all on the ledger after the restart", taken)
}
