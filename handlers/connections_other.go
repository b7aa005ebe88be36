//go:build !unix

package handlers

// maxConnections returns the limit of concurrent connections.
func maxConnections() int { return 1024 }
