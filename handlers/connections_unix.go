//go:build unix

package handlers

import "syscall"

// maxConnections returns the limit of concurrent connections. fasthttp ends the process when it runs out of file
// descriptors, so the limit leaves room for the database and our own files.
func maxConnections() int {
	const most, reserve = 8192, 128
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil || limit.Cur > most+reserve {
		return most
	}
	return max(int(limit.Cur)-reserve, 64)
}
