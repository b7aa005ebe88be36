package resumematcher

import (
	"net/http"
	"slices"
	"strings"
)

// controlPath is the page on which a tester breaks the model or the network. Programs post the same form and accept
// application/json.
const controlPath = "/control"

// state is what the control page shows and the control API answers with.
type state struct {
	Model      Model       `json:"model"`
	Transport  Transport   `json:"transport"`
	Routes     []string    `json:"routes"` // the routes that transport is for; none means all that ask the model
	Requests   int         `json:"requests"`
	Asked      int         `json:"asked"` // how often the model was asked
	Models     []Model     `json:"-"`
	Transports []Transport `json:"-"`
}

func (a *App) state() state {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := state{Model: a.model, Transport: a.transport, Routes: a.faulty, Requests: len(a.seen), Models: Models,
		Transports: Transports}
	for _, one := range a.seen {
		now.Asked += one.Asked
	}
	return now
}

// serveControl shows the state, or changes it: model, transport, routes (separated by commas), release.
func (a *App) serveControl(w http.ResponseWriter, r *http.Request) {
	if err := http.NewCrossOriginProtection().Check(r); err != nil {
		http.Error(w, http.StatusText(http.StatusForbidden), http.StatusForbidden)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	if r.Method == http.MethodPost && !a.change(r) {
		http.Error(w, http.StatusText(http.StatusBadRequest), http.StatusBadRequest)
		return
	}
	var ans answer
	switch {
	case strings.Contains(r.Header.Get("Accept"), "application/json"):
		ans = jsonAnswer(http.StatusOK, a.state())
	case r.Method == http.MethodPost:
		ans = answer{status: http.StatusSeeOther, header: http.Header{"Location": {controlPath}}}
	default:
		ans = a.render(r, http.StatusOK, "control.html", view{Path: controlPath, Public: a.public, State: a.state()})
	}
	ans.header.Set("Cache-Control", "no-store")
	ans.send(w, &call{r: r}, Normal)
}

// change does what the form says, and reports whether it is valid.
func (a *App) change(r *http.Request) bool {
	model, transport := Model(r.PostFormValue("model")), Transport(r.PostFormValue("transport"))
	if model != "" && !slices.Contains(Models, model) || transport != "" && !slices.Contains(Transports, transport) {
		return false
	}
	if model != "" {
		a.SetModel(model)
	}
	if transport != "" {
		a.SetTransport(transport, strings.FieldsFunc(r.PostFormValue("routes"), func(c rune) bool { return c == ',' })...)
	}
	if r.PostFormValue("release") != "" {
		a.Release()
	}
	return true
}
