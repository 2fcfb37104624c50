package devnet

import "syscall"

// childAttributes keeps Ctrl-C for the parent, which stops the nodes in order.
// A node that is not detached dies with the parent, however that ends.
func childAttributes(detach bool) *syscall.SysProcAttr {
	if detach {
		return &syscall.SysProcAttr{Setsid: true}
	}
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}
