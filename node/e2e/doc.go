// Package e2e holds the end-to-end tests: real validators as processes of the
// real binary, on loopback, killed and restarted while real data stream in.
// It has no code of its own beside tests.
package e2e
