package lint

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/cairn-ledger/cairn/contracts/abi"
	"github.com/cairn-ledger/cairn/node/internal/vm/module"
)

func readPage(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestEveryModuleLimitIsDocumented(t *testing.T) {
	page, limits := readPage(t, "docs/contracts.md"), reflect.ValueOf(module.Contract())
	for i := range limits.NumField() {
		row := fmt.Sprintf("| %s | %s |", limits.Type().Field(i).Name, grouped(limits.Field(i).Int()))
		if !strings.Contains(page, row) {
			t.Errorf("docs/contracts.md lacks the row %q", row)
		}
	}
}

// grouped writes 2097152 as 2,097,152.
func grouped(n int64) string {
	text := strconv.FormatInt(n, 10)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

func TestEveryHostFunctionIsDocumented(t *testing.T) {
	page := readPage(t, "docs/contracts.md")
	for _, name := range []string{
		abi.HostInput, abi.HostOutput, abi.HostStateGet, abi.HostStateSet, abi.HostStateDelete, abi.HostStateScan, abi.HostEmit,
		abi.HostBlockHeight, abi.HostBlockTimeMs, abi.HostSelf, abi.HostSHA256, abi.HostVerify, abi.HostLog, abi.HostAbort,
	} {
		if !strings.Contains(page, "`"+name+"(") {
			t.Errorf("docs/contracts.md does not mention the host function %s: add its row", name)
		}
	}
}

// link finds the targets of links to files.
var link = regexp.MustCompile(`\]\(([^)#:\s]+)(?:#[^)]*)?\)`)

func TestLinksLeadSomewhere(t *testing.T) {
	pages, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	decisions, err := filepath.Glob(filepath.Join(root, "docs", "decisions", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range append(append(pages, decisions...), filepath.Join(root, "README.md")) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range link.FindAllStringSubmatch(string(text), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), filepath.FromSlash(found[1]))); err != nil {
				t.Errorf("%s links to %s, which is not there", page, found[1])
			}
		}
	}
}
