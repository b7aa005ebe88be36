//go:build !unix

package handlers

// maxConnections is how many connections we take at once.
func maxConnections() int { return 1024 }
