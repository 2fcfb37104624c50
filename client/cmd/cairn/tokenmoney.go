package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/cairn-ledger/cairn/client/netdir"
	"github.com/cairn-ledger/cairn/client/protocol"
)

// wallet is a connection with what amounts and names mean there.
type wallet struct {
	*ledger
	s        *session
	decimals map[string]uint64
	names    map[protocol.Address]string // of the keys in the network's folder, and of contracts met
}

func (s *session) wallet() (*wallet, error) {
	l, err := s.connect()
	w := &wallet{l, s, map[string]uint64{}, map[protocol.Address]string{}}
	if s.network == "" || err != nil {
		return w, err
	}
	files, err := filepath.Glob(filepath.Join(s.network, "keys", "*.json"))
	for _, path := range files {
		if file, err := netdir.ReadKeyFile(path); err == nil { // another file is nobody's name
			w.names[file.Address] = strings.TrimSuffix(filepath.Base(path), ".json")
		}
	}
	return w, err
}

// account reads an address, the name of a key in the network's folder or the
// name of a contract.
func (w *wallet) account(ctx context.Context, text string) (protocol.Address, error) {
	if address, err := protocol.ParseAddress(text); err == nil {
		return address, nil
	}
	if w.s.network != "" {
		file, err := netdir.ReadKeyFile(filepath.Join(w.s.network, "keys", text+".json"))
		if err == nil {
			return file.Address, nil
		}
		if _, missing := os.Stat(filepath.Join(w.s.network, "keys", text+".json")); !errors.Is(missing, fs.ErrNotExist) {
			return protocol.Address{}, err
		}
	}
	c, ok, err := w.Contract(ctx, text)
	if err == nil && !ok {
		err = usageError{fmt.Errorf("%q is no address, no key in the network's folder and no contract", text)}
	}
	if err == nil {
		w.names[c.Address] = c.Name
	}
	return c.Address, err
}

// nameContracts lets name know the contracts there are. Without an answer
// their addresses are shown.
func (w *wallet) nameContracts(ctx context.Context) {
	list, err := w.Contracts(ctx)
	if err != nil {
		return
	}
	for i := range list {
		w.names[list[i].Address] = list[i].Name
	}
}

// places is how many decimals an asset has.
func (w *wallet) places(ctx context.Context, asset string) (uint64, error) {
	if n, known := w.decimals[asset]; known {
		return n, nil
	}
	a, ok, err := w.Asset(ctx, asset)
	if err == nil && !ok {
		err = protocol.Refuse(protocol.CodeAssetUnknown, "no asset has the symbol %q; `cairn token list assets` shows them", asset)
	}
	if err == nil {
		w.decimals[asset] = a.Decimals
	}
	return a.Decimals, err
}

// amount reads "12.50" of an asset in its minor units. What the asset has no
// place for is refused, never rounded.
func (w *wallet) amount(ctx context.Context, text, asset string) (uint64, error) {
	places, err := w.places(ctx, asset)
	if err != nil {
		return 0, err
	}
	n, err := parseAmount(text, places)
	if err != nil {
		return 0, usageError{fmt.Errorf("%q is no amount of %s: %w", text, asset, err)}
	}
	return n, nil
}

func parseAmount(text string, places uint64) (uint64, error) {
	whole, part, point := strings.Cut(text, ".")
	switch {
	case whole == "" || point && part == "":
		return 0, errors.New("write it as 12 or 12.50")
	case uint64(len(part)) > places:
		return 0, fmt.Errorf("it has %d decimal places, at most %d are possible", len(part), places)
	}
	n := uint64(0)
	for _, c := range whole + part + strings.Repeat("0", int(places)-len(part)) {
		if c < '0' || c > '9' {
			return 0, errors.New("write it as 12 or 12.50")
		}
		if n > (protocol.MaxAmount-uint64(c-'0'))/10 {
			return 0, errors.New("it is more than there can be")
		}
		n = n*10 + uint64(c-'0')
	}
	return n, nil
}

// decimal writes minor units with their decimal places.
func decimal(n, places uint64) string {
	digits := fmt.Sprintf("%0*d", int(places)+1, n)
	if places == 0 {
		return digits
	}
	at := len(digits) - int(places)
	return digits[:at] + "." + digits[at:]
}

// moment reads a time: RFC 3339, or how long from now.
func moment(text string) (uint64, error) {
	if text == "" {
		return 0, nil
	}
	if d, err := span(text); err == nil {
		return uint64(time.Now().Add(d).UnixMilli()), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil || at.UnixMilli() <= 0 {
		return 0, usageError{fmt.Errorf("%q is neither a time such as 2026-12-31T12:00:00Z nor a duration such as 36h or 30d", text)}
	}
	return uint64(at.UnixMilli()), nil
}

// span reads a duration; days are possible.
func span(text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := parseAmount(days, 0)
		if err != nil || n > 36_500 {
			return 0, usageError{fmt.Errorf("%q is no number of days", text)}
		}
		return time.Duration(n) * 24 * time.Hour, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, usageError{fmt.Errorf("%q is no duration such as 36h or 30d", text)}
	}
	return d, nil
}

// millis reads a duration in milliseconds; nothing is 0.
func millis(text string) (uint64, error) {
	if text == "" {
		return 0, nil
	}
	d, err := span(text)
	return uint64(d.Milliseconds()), err
}

func showTime(ms uint64) string {
	if ms == 0 {
		return "-"
	}
	return time.UnixMilli(int64(ms)).UTC().Format(time.RFC3339)
}

// name is an address as people know it.
func (w *wallet) name(a protocol.Address) string {
	if a.IsZero() {
		return "-"
	}
	if name, known := w.names[a]; known {
		return name
	}
	return a.String()
}
