package vm

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// shortDifferential is how many random modules the short form of
// TestDifferential runs.
const shortDifferential = 60

// emulated are the tests in which processors could differ.
const emulated = "^(TestDifferential|TestComparisonsWithZero|TestEveryNaN|TestEveryRemainder|TestDepthIsLogical|TestMemoryStartsAnew|TestHostModel|" +
	"TestGasIsPinned|TestHostile|TestEveryGasLimit|TestShippedTranscripts|TestDamagedCache)$"

// TestArm64 runs these tests as an arm64 program, and requires random modules
// to leave there what they leave here, bit for bit and gas for gas.
func TestArm64(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and emulates")
	}
	if runtime.GOARCH == "arm64" {
		t.Skip("this is arm64: all tests run on it")
	}
	qemu, err := exec.LookPath("qemu-aarch64-static")
	if err != nil {
		t.Skip("needs qemu-aarch64-static, of the Debian package qemu-user-static")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	binary := filepath.Join(t.TempDir(), "vm.test")
	build := exec.CommandContext(ctx, "go", "test", "-c", "-o", binary, ".")
	build.Env = append(os.Environ(), "GOOS=linux", "GOARCH=arm64", "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err := exec.CommandContext(ctx, qemu, binary, "-test.run", emulated, "-test.short", "-test.v").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if ran, want := strings.Count(string(out), "\n--- PASS: "), strings.Count(emulated, "|")+1; ran != want {
		t.Errorf("%d tests passed, want %d:\n%s", ran, want, out)
	}
	digest, _ := differential(t, 0, shortDifferential)
	if !strings.Contains(string(out), fmt.Sprintf("digest %x", digest)) {
		t.Errorf("random modules leave something else on arm64; here they have the digest %x:\n%s", digest, out)
	}
}
