//go:build !unix

package client

import "os"

// lockFile opens a file; that one process alone uses an outbox is up to its owner here.
func lockFile(path string) (*os.File, error) { return os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600) }
