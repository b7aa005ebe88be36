// Package transport protects the server's sockets: it limits connections per network and bytes of request bodies in
// flight, finds the client behind proxies, and rejects what is not HTTP. It knows no route, page or user.
package transport
