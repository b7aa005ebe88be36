package mailbox

import (
	"bytes"
	"embed"
	_ "embed"
	"html/template"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/resume-matcher/credits/services/sandbox/appearance"
)

//go:embed page.html texts.yaml
var pageFiles embed.FS

//go:embed mailbox.css
var style string

// view is the content of the page: the inbox, or one letter.
type view struct {
	Lang    string
	T       map[string]string
	Style   template.CSS
	Product string // address of the product; may be empty
	Letters []Letter
	Letter  *Letter
	Fault   Fault
	Faults  []Fault
	zone    *time.Location // the reader's
}

// Time formats a time in the page's language and the reader's time zone.
func (v view) Time(t time.Time) string { return appearance.FormatTime(t, v.Lang, v.zone) }

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.showInbox)
	mux.HandleFunc("GET /{id}", s.showLetter)
	mux.HandleFunc("GET /{id}/html", s.showHTML)
	mux.HandleFunc("GET /{id}/source", s.showSource)
	mux.HandleFunc("GET /{id}/files/{n}", s.sendFile)
	mux.HandleFunc("POST /control", s.control)
	appearance.Register(mux)
	return http.NewCrossOriginProtection().Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy",
			"default-src 'none'; style-src 'self' 'unsafe-inline'; font-src 'self'; form-action 'self'; frame-src 'self'; frame-ancestors 'self'; base-uri 'none'")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		mux.ServeHTTP(w, r)
	}))
}

func (s *Server) showInbox(w http.ResponseWriter, r *http.Request) {
	fault, _ := s.currentFault()
	s.render(w, r, view{Letters: s.Letters(), Fault: fault, Faults: Faults})
}

func (s *Server) showLetter(w http.ResponseWriter, r *http.Request) {
	if l := s.asked(w, r); l != nil {
		s.render(w, r, view{Letter: l})
	}
}

// showHTML is the letter as a mail program shows it: no script of it runs, and it loads nothing.
func (s *Server) showHTML(w http.ResponseWriter, r *http.Request) {
	if l := s.asked(w, r); l != nil {
		w.Header().Set("Content-Security-Policy", "sandbox allow-popups; default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'")
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write([]byte(l.HTML))
	}
}

func (s *Server) showSource(w http.ResponseWriter, r *http.Request) {
	if l := s.asked(w, r); l != nil {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write(l.Source)
	}
}

func (s *Server) sendFile(w http.ResponseWriter, r *http.Request) {
	l := s.asked(w, r)
	if l == nil {
		return
	}
	n, err := strconv.Atoi(r.PathValue("n"))
	if err != nil || n < 0 || n >= len(l.Files) {
		http.NotFound(w, r)
		return
	}
	file := l.Files[n]
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": file.Name}))
	if file.inline() {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Content-Disposition", "inline")
	}
	_, _ = w.Write(file.Content)
}

// control changes the fault, or empties the mailbox.
func (s *Server) control(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxFormSize)
	fault := Fault(r.PostFormValue("fault"))
	switch {
	case r.PostFormValue("clear") != "":
		s.Clear()
	case slices.Contains(Faults, fault):
		s.SetFault(fault)
	default:
		http.Error(w, http.StatusText(http.StatusBadRequest), http.StatusBadRequest)
		return
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// asked returns the letter of the path, or answers 404.
func (s *Server) asked(w http.ResponseWriter, r *http.Request) *Letter {
	id, err := strconv.Atoi(r.PathValue("id"))
	if err == nil {
		if l, found := s.letter(id); found {
			return &l
		}
	}
	http.NotFound(w, r)
	return nil
}

func (s *Server) render(w http.ResponseWriter, r *http.Request, v view) {
	v.Lang, v.Style = appearance.Language(r).String(), template.CSS(style) //nolint:gosec // our own file
	v.T, v.Product, v.zone = s.texts[v.Lang], s.productURL(), appearance.Zone(r)
	var page bytes.Buffer
	if err := s.page.Execute(&page, v); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(page.Bytes())
}
