package stripe

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// controlProblem is a refused value. Its text is "delivery.error.<key>".
type controlProblem struct {
	key   string
	pairs []string // placeholders and what to put there
}

func (p *controlProblem) Error() string {
	return "control: " + p.key + " " + strings.Join(p.pairs, " ")
}

func problem(key string, pairs ...string) error { return &controlProblem{key, pairs} }

// control is a request to a control.
type control struct {
	id     string // the object that the path names, if any
	values url.Values
}

func (c control) text(name string) string { return strings.TrimSpace(c.values.Get(name)) }

// count returns a number within bounds, or fallback when the field is empty.
func (c control) count(name string, lowest, highest, fallback int) (int, error) {
	if c.text(name) == "" {
		return fallback, nil
	}
	n, err := strconv.Atoi(c.text(name))
	if err != nil || n < lowest || n > highest {
		return 0, problem("number", "field", name, "lowest", strconv.Itoa(lowest), "highest", strconv.Itoa(highest), "value",
			c.text(name))
	}
	return n, nil
}

// only refuses fields with other names: a misspelt one would silently do nothing.
func (c control) only(names ...string) error {
	for _, name := range slices.Sorted(maps.Keys(c.values)) {
		if !slices.Contains(names, strings.TrimSuffix(name, "[]")) {
			return problem("field", "field", name, "allowed", strings.Join(names, ", "))
		}
	}
	return nil
}

// words returns the values of a field that may occur several times or hold several values, separated by commas or white
// space.
func (c control) words(name string) []string {
	given := append(slices.Clone(c.values[name]), c.values[name+"[]"]...)
	words := strings.FieldsFunc(strings.Join(given, " "),
		func(r rune) bool { return r == ',' || r == ' ' || r == '\n' || r == '\r' || r == '\t' })
	return append([]string{}, words...)
}

// deliveryControls registers the controls of the delivery of events.
func (s *Server) deliveryControls(mux *http.ServeMux) {
	mux.HandleFunc("GET /control/delivery", s.readControl(s.deliveryState))
	mux.HandleFunc("POST /control/delivery", s.change("plan", s.setDelivery))
	mux.HandleFunc("POST /control/events/{id}/redeliver", s.change("again", s.redeliver))
	mux.HandleFunc("POST /control/release", s.change("released", s.releaseHeld))
}

// readControl answers with the current setting.
func (s *Server) readControl(read func(context.Context, *txn) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var state any
		err := s.store.read(r.Context(), func(ctx context.Context, t *txn) (err error) {
			state, err = read(ctx, t)
			return err
		})
		if err != nil {
			s.showError(w, r, err, nil)
			return
		}
		s.writeJSON(w, http.StatusOK, state)
	}
}

// change runs an action and answers with its result, or redirects a browser to the page that shows it.
func (s *Server) change(done string, act func(context.Context, control) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxFormBody)
		var result any
		err := r.ParseForm()
		c := control{id: r.PathValue("id"), values: r.Form}
		switch {
		case err != nil:
			err = problem("form")
		case !storable(c.id) || slices.ContainsFunc(slices.Concat(slices.Collect(maps.Values(c.values))...),
			func(v string) bool { return !storable(v) }):
			err = problem("form")
		default:
			result, err = act(r.Context(), c)
		}
		s.deliverer.Wake()
		s.answerControl(w, r, c, done, result, err)
	}
}

func (s *Server) answerControl(w http.ResponseWriter, r *http.Request, c control, done string, result any, err error) {
	json := strings.Contains(r.Header.Get("Accept"), "application/json")
	var wrong *controlProblem
	var refusal *apiError
	switch {
	case err == nil && json:
		s.writeJSON(w, http.StatusOK, result)
	case err == nil:
		http.Redirect(w, r, "/dashboard/delivery?done="+done, http.StatusSeeOther)
	case errors.As(err, &wrong) && json:
		text := s.pages.page(new(localeEnglish), r, "delivery.title").T("delivery.error."+wrong.key, wrong.pairs...)
		s.writeJSON(w, http.StatusUnprocessableEntity,
			map[string]any{"error": map[string]any{"code": wrong.key, "message": text}})
	case errors.As(err, &wrong):
		s.sendDelivery(w, r, http.StatusUnprocessableEntity, c.values, wrong)
	case errors.As(err, &refusal) && json:
		s.writeJSON(w, refusal.status, map[string]any{"error": map[string]any{"code": refusal.code,
			"message": refusal.message}})
	case errors.As(err, &refusal):
		s.sendDelivery(w, r, refusal.status, nil, &controlProblem{key: "missing"})
	default:
		s.showError(w, r, err, nil)
	}
}

// writeJSON answers with JSON.
func (s *Server) writeJSON(w http.ResponseWriter, status int, value any) {
	body, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		s.logError("stripe sandbox: encode answer failed", err)
		status, body = http.StatusInternalServerError, []byte(`{"error":{"message":"cannot encode"}}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	s.reply(w, &answer{status: status, body: string(body) + "\n"})
}
