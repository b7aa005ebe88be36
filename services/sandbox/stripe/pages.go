package stripe

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"golang.org/x/text/language"
	"gopkg.in/yaml.v3"
)

//go:embed pages
var pageFiles embed.FS

const (
	localeGerman  = "de"
	localeEnglish = "en"
)

// matcher finds the language for a browser; the first one is the fallback.
var matcher = language.NewMatcher([]language.Tag{language.English, language.German})

// pages are the hosted pages and what they say.
type pages struct {
	templates *template.Template
	texts     map[string]map[string]string // by locale, then key
}

func loadPages() (*pages, error) {
	templates, err := template.ParseFS(pageFiles, "pages/*.html")
	if err != nil {
		return nil, fmt.Errorf("parse pages: %w", err)
	}
	data, err := pageFiles.ReadFile("pages/texts.yaml")
	if err != nil {
		return nil, fmt.Errorf("read texts: %w", err)
	}
	p := &pages{templates: templates}
	if err := yaml.Unmarshal(data, &p.texts); err != nil {
		return nil, fmt.Errorf("parse texts: %w", err)
	}
	return p, nil
}

// page is what every hosted page needs.
type page struct {
	Locale string
	Title  string
	texts  map[string]string
}

// page starts a page in the session's language, else the browser's.
func (p *pages) page(locale *string, r *http.Request, title string) page {
	chosen := localeEnglish
	if locale == nil || *locale == "auto" {
		wanted, _, err := language.ParseAcceptLanguage(r.Header.Get("Accept-Language"))
		if _, i, _ := matcher.Match(wanted...); err == nil && i == 1 {
			chosen = localeGerman
		}
	} else if *locale == localeGerman {
		chosen = localeGerman
	}
	made := page{Locale: chosen, texts: p.texts[chosen]}
	made.Title = made.T(title)
	return made
}

// T is a text with its placeholders filled in: name, value, name, value.
func (p page) T(key string, pairs ...string) string {
	text := p.texts[key]
	for i := 0; i+1 < len(pairs); i += 2 {
		text = strings.ReplaceAll(text, "%{"+pairs[i]+"}", pairs[i+1])
	}
	return text
}

func (p page) money(amount int64, code string) string { return money(amount, code, p.Locale) }

// stamp writes a time as people of the page's language do.
func (p page) stamp(t time.Time) string {
	if p.Locale == localeGerman {
		return t.UTC().Format("02.01.2006, 15:04:05 UTC")
	}
	return t.UTC().Format("2 Jan 2006, 15:04:05 UTC")
}

// send renders a page; leaving lists the addresses that its forms may lead to.
func (s *Server) send(w http.ResponseWriter, status int, name string, data any, leaving ...string) {
	var body bytes.Buffer
	if err := s.pages.templates.ExecuteTemplate(&body, name, data); err != nil {
		s.log.Error("stripe sandbox page failed", "err", err, "page", name)
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return
	}
	// Browsers hold a form's redirects to form-action as well.
	forms := "'self'"
	for _, address := range leaving {
		if o := origin(address); o != "" {
			forms += " " + o
		}
	}
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src 'self'; form-action "+forms+"; base-uri 'none'; frame-ancestors 'none'")
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	if _, err := w.Write(body.Bytes()); err != nil {
		s.log.Debug("stripe sandbox client went away", "err", err)
	}
}

var hostName = regexp.MustCompile(`^[A-Za-z0-9.:\[\]-]+$`)

// origin is scheme and host of an address, empty when a policy could not name it.
func origin(address string) string {
	u, err := url.Parse(address)
	if err != nil || !hostName.MatchString(u.Host) {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

// asset serves an embedded file.
func (s *Server) asset(name, contentType string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.Header().Set("Cache-Control", "max-age=300")
		http.ServeFileFS(w, r, pageFiles, "pages/"+name)
	}
}

// closedPage says why there is nothing to pay, with a way back.
type closedPage struct {
	page
	Text string
	Back string
}

// closed sends the page "closed.<reason>".
func (s *Server) closed(w http.ResponseWriter, r *http.Request, status int, reason string, locale *string, back string) {
	p := closedPage{page: s.pages.page(locale, r, "closed."+reason+".title"), Back: back}
	p.Text = p.T("closed." + reason + ".text")
	s.send(w, status, "closed.html", p)
}

// typed writes an amount as somebody would type it into a field.
func (p page) typed(amount int64, code string) string {
	if p.Locale == localeGerman {
		return strings.ReplaceAll(decimal(amount, code), ".", ",")
	}
	return decimal(amount, code)
}
