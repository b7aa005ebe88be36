package mailbox

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"mime"
	"net/http"
	"slices"
	"strconv"

	"golang.org/x/text/language"
	"gopkg.in/yaml.v3"

	"github.com/resume-matcher/credits/services/sandbox/appearance"
)

//go:embed page.html
var pageSource string

//go:embed mailbox.css
var style string

//go:embed texts.yaml
var textSource []byte

// pages is the inbox page and its words.
type pages struct {
	page  *template.Template
	texts map[string]map[string]string // language, key
}

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
}

var languages = language.NewMatcher([]language.Tag{language.English, language.German})

func loadPages() (*pages, error) {
	p := &pages{}
	if err := yaml.Unmarshal(textSource, &p.texts); err != nil {
		return nil, fmt.Errorf("mailbox: texts: %w", err)
	}
	page, err := template.New("page").Parse(pageSource)
	if err != nil {
		return nil, fmt.Errorf("mailbox: page: %w", err)
	}
	p.page = page
	return p, nil
}

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
	v.Lang, v.Style = "en", template.CSS(style) //nolint:gosec // our own file
	if accepted, _, err := language.ParseAcceptLanguage(r.Header.Get("Accept-Language")); err == nil {
		if _, index, _ := languages.Match(accepted...); index == 1 {
			v.Lang = "de"
		}
	}
	v.T, v.Product = s.pages.texts[v.Lang], s.productURL()
	var page bytes.Buffer
	if err := s.pages.page.Execute(&page, v); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(page.Bytes())
}
