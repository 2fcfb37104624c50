//go:build !linux

package devnet

import "syscall"

// childAttributes keeps Ctrl-C for the parent, which stops the nodes in order.
func childAttributes(detach bool) *syscall.SysProcAttr {
	if detach {
		return &syscall.SysProcAttr{Setsid: true}
	}
	return &syscall.SysProcAttr{Setpgid: true}
}
