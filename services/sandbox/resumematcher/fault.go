package resumematcher

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// Model is how the language model behaves behind Resume Matcher.
type Model string

// The models. Under all but Good, some routes still answer 200, without a result.
const (
	Good          Model = "good"           // answers
	Fails500      Model = "fails-500"      // the provider answers 500
	Fails401      Model = "fails-401"      // the provider refuses the key
	Fails429      Model = "fails-429"      // the provider limits requests
	NotJSON       Model = "not-json"       // answers with prose, also where JSON was asked for
	EmptyObject   Model = "empty-object"   // answers {}
	Blank         Model = "blank"          // answers with an empty text
	ConnectionCut Model = "connection-cut" // the provider's connection breaks
)

// Models lists the models.
var Models = []Model{Good, Fails500, Fails401, Fails429, NotJSON, EmptyObject, Blank, ConnectionCut}

// reply is what Resume Matcher can make of the model's answer.
type reply int

const (
	answered   reply = iota
	hollow           // valid and without content
	unreadable       // text where JSON was expected
	failed           // no answer
)

func (m Model) reply() reply {
	switch m {
	case Good:
		return answered
	case EmptyObject:
		return hollow
	case NotJSON:
		return unreadable
	default:
		return failed
	}
}

// Transport is how answers travel.
type Transport string

// The transports. All but Normal, Slow, OtherUser, NoUser and LooseHeaders replace or damage the answer.
const (
	Normal         Transport = "normal"
	Slow           Transport = "slow"            // waits for Release; a client that leaves does not end the work
	Hang           Transport = "hang"            // waits until the client leaves, or for Release, and never answers
	CutBefore      Transport = "cut-before"      // closes the connection instead of answering
	CutMidBody     Transport = "cut-mid-body"    // closes the connection after half of the body
	HugeBody       Transport = "huge-body"       // a JSON text of 1 GiB, streamed
	EndlessHeaders Transport = "endless-headers" // header fields until the client leaves
	LengthTooLong  Transport = "length-too-long" // Content-Length says more than is sent
	LengthTooShort Transport = "length-too-short"
	Switching      Transport = "switching"     // 101
	NoContent      Transport = "no-content"    // 204
	Elsewhere      Transport = "elsewhere"     // 307 to another host
	OtherUser      Transport = "other-user"    // repeats the id of another user
	NoUser         Transport = "no-user"       // repeats no id, as without the add-on
	LooseHeaders   Transport = "loose-headers" // cookies and permissions that would act on the gate's own origin
)

// Transports lists the transports.
var Transports = []Transport{
	Normal, Slow, Hang, CutBefore, CutMidBody, HugeBody, EndlessHeaders, LengthTooLong, LengthTooShort, Switching,
	NoContent, Elsewhere, OtherUser, NoUser, LooseHeaders,
}

// hugeBytes is the size of a huge body.
const hugeBytes = 1 << 30

// SetModel changes how the model behaves, from the next request on.
func (a *App) SetModel(m Model) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.model = m
}

// SetTransport changes how answers travel, from the next request on, on the given routes, such as
// "GET /api/v1/resumes/list" or "GET /dashboard". Without routes it changes those that ask the model.
func (a *App) SetTransport(t Transport, routes ...string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.transport, a.faulty = t, routes
}

// Arrived receives the route of each request that Slow or Hang stops.
func (a *App) Arrived() <-chan string { return a.arrived }

// Release ends the wait of every request that Slow or Hang has stopped. Call it before closing the server.
func (a *App) Release() {
	a.mu.Lock()
	defer a.mu.Unlock()
	close(a.release)
	a.release = make(chan struct{})
}

// transportFor returns how the answer to a call travels. The caller has the lock.
func (a *App) transportFor(c *call) Transport {
	if len(a.faulty) == 0 && c.asks || slices.Contains(a.faulty, c.route) {
		return a.transport
	}
	return Normal
}

// pause makes slow and hanging requests wait.
func (a *App) pause(ctx context.Context, t Transport, route string) {
	if t != Slow && t != Hang {
		return
	}
	a.mu.Lock()
	release := a.release
	a.mu.Unlock()
	select {
	case a.arrived <- route:
	default: // the channel is full, and no test reads it
	}
	if t == Slow { // uvicorn finishes what a client has abandoned
		ctx = context.WithoutCancel(ctx)
	}
	select {
	case <-release:
	case <-ctx.Done():
	}
}

// deliver makes the answer and sends it as the transport says. To cut the connection, it panics with
// http.ErrAbortHandler: net/http defines this panic for that purpose, recovers it, closes the connection and logs
// nothing.
func (a *App) deliver(w http.ResponseWriter, c *call, t Transport) {
	switch t {
	case Hang, CutBefore:
		panic(http.ErrAbortHandler)
	case HugeBody:
		w.Header().Set("Content-Type", "application/json")
		stream(w, `{"content":"`, strings.Repeat("a", 64<<10), hugeBytes)
		return
	case EndlessHeaders:
		hijack(w, func(out io.Writer) {
			stream(out, "HTTP/1.1 200 OK\r\n", "X-Filler: "+strings.Repeat("a", 4000)+"\r\n", -1)
		})
	case Switching:
		hijack(w, func(out io.Writer) {
			stream(out, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", "", 0)
		})
	default:
	}
	ans := c.serve(c)
	switch t {
	case NoContent:
		ans = answer{status: http.StatusNoContent}
	case Elsewhere:
		there := http.Header{"Location": {"https://elsewhere.example" + c.r.RequestURI}}
		ans = answer{status: http.StatusTemporaryRedirect, header: there}
	case LooseHeaders:
		ans.header = http.Header{
			"Set-Cookie": {"session=theirs; Path=/"}, "Clear-Site-Data": {`"*"`}, "Access-Control-Allow-Origin": {"*"},
			"Content-Security-Policy": {"default-src *"}, "Service-Worker-Allowed": {"/"},
		}
	default:
	}
	ans.send(w, c, t)
}

// hijack lets write answer on the bare connection, closes it, and ends the handler by the same panic, so that deliver
// writes no other answer.
func hijack(w http.ResponseWriter, write func(io.Writer)) {
	connection, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		write(connection)
		_ = connection.Close() // the client may have closed it first
	}
	panic(http.ErrAbortHandler)
}

// stream writes a beginning and then a piece again and again: up to a number of bytes, or until the client leaves.
func stream(w io.Writer, beginning, piece string, bytes int) {
	_, err := io.WriteString(w, beginning)
	for sent := 0; err == nil && sent != bytes; sent += len(piece) {
		_, err = io.WriteString(w, piece)
	}
}

// answer is what a route answers.
type answer struct {
	status int
	kind   string // Content-Type
	body   []byte
	header http.Header
}

// send writes the answer, whole or damaged.
func (ans answer) send(w http.ResponseWriter, c *call, t Transport) {
	header := w.Header()
	maps.Copy(header, ans.header)
	if ans.kind != "" {
		header.Set("Content-Type", ans.kind)
	}
	if origin := c.r.Header.Get("Origin"); c.echo && origin != "" && t != LooseHeaders {
		header.Set("Access-Control-Allow-Origin", origin)
		header.Set("Access-Control-Allow-Credentials", "true")
	}
	switch {
	case t == OtherUser:
		header.Set(userHeader, "someoneelse0000000000000000")
	case c.echo && t != NoUser && c.user != "":
		header.Set(userHeader, c.user)
	}
	length := len(ans.body)
	switch t {
	case CutMidBody:
		header.Set("Content-Length", fmt.Sprint(length))
		w.WriteHeader(ans.status)
		_, _ = w.Write(ans.body[:length/2]) // the connection is cut next
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	case LengthTooLong, LengthTooShort:
		length += map[Transport]int{LengthTooLong: 10, LengthTooShort: -1}[t]
		hijack(w, func(out io.Writer) {
			header.Set("Content-Length", fmt.Sprint(length))
			var fields strings.Builder
			_ = header.Write(&fields)
			stream(out, fmt.Sprintf("HTTP/1.1 %d OK\r\n%s\r\n%s", ans.status, &fields, ans.body), "", 0)
		})
	default:
		w.WriteHeader(ans.status)
		_, _ = w.Write(ans.body) // a closed connection is not an error
	}
}
