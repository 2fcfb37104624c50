package vm

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/tetratelabs/wazero"
)

// sumSuffix ends the name of the file that holds the SHA-256 of a file of
// compiled code. The engine checks only the machine code inside: a flipped bit
// in the table of functions before it would run another function, one in a
// size end the process.
const sumSuffix = ".sha256"

// openCache makes sure that only the owner can write what will be executed,
// and throws away what is not as it was written.
func openCache(dir string) (wazero.CompilationCache, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	info, err := os.Stat(dir)
	if err != nil {
		return nil, err
	}
	if mode := info.Mode().Perm(); mode&0o022 != 0 {
		return nil, fmt.Errorf("%s can be written by others (mode %04o); chmod it to 0700", dir, mode)
	}
	if err := dropDamaged(dir); err != nil {
		return nil, err
	}
	return wazero.NewCompilationCacheWithDir(dir)
}

// cacheFiles are the files of compiled code and their sums.
func cacheFiles(dir string) ([]string, error) {
	return filepath.Glob(filepath.Join(dir, "wazero-*", "*"))
}

// dropDamaged removes compiled code that has no sum or another than it says.
// It is compiled again when it is wanted.
func dropDamaged(dir string) error {
	files, err := cacheFiles(dir)
	if err != nil {
		return err
	}
	for _, f := range files {
		if filepath.Ext(f) == sumSuffix {
			continue
		}
		sum, err := fileSum(f)
		if err != nil {
			return err
		}
		if want, err := os.ReadFile(f + sumSuffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		} else if !bytes.Equal(sum, want) {
			if err := remove(f); err != nil {
				return err
			}
		}
	}
	return nil
}

// sealCache writes the sums of files that have none: those the engine added
// since the cache was opened.
func sealCache(dir string) error {
	files, err := cacheFiles(dir)
	if err != nil {
		return err
	}
	for i, f := range files { // in order: a file's sum follows it
		if filepath.Ext(f) != "" || i+1 < len(files) && files[i+1] == f+sumSuffix {
			continue
		}
		sum, err := fileSum(f)
		if err != nil {
			return err
		}
		if err := os.WriteFile(f+sumSuffix, sum, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// emptyCache removes all compiled code.
func emptyCache(dir string) error {
	files, err := cacheFiles(dir)
	if err != nil {
		return err
	}
	for _, f := range files {
		if err := remove(f); err != nil {
			return err
		}
	}
	return nil
}

// remove takes a file away with its sum.
func remove(f string) error {
	for _, name := range []string{f, f + sumSuffix} {
		if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

func fileSum(f string) ([]byte, error) {
	code, err := os.ReadFile(f)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(code)
	return sum[:], nil
}
