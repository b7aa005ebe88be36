// Package transport guards the server's sockets against strangers: how many connections one network may hold, how many
// bytes of request bodies are under way, who sends a request from behind proxies, and what is not HTTP at all. It knows
// no route, no page and no user.
package transport
