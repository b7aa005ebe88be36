//go:build unix

package handlers

import "syscall"

// maxConnections is how many connections we take at once. fasthttp ends the process when it runs out of file
// descriptors, so it must stay below their limit, with room for the database and our own files.
func maxConnections() int {
	const most, reserve = 8192, 128
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil || limit.Cur > most+reserve {
		return most
	}
	return max(int(limit.Cur)-reserve, 64)
}
