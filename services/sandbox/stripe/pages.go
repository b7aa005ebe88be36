package stripe

import (
	"bytes"
	"embed"
	"html/template"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/resume-matcher/credits/services/sandbox/appearance"
)

//go:embed pages
var pageFiles embed.FS

const (
	localeGerman  = "de"
	localeEnglish = "en"
)

// pages holds the templates and texts of the hosted pages.
type pages struct {
	templates *template.Template
	texts     appearance.Texts
	product   string // address of the product, which the pages link; may be empty
	seller    string // whom buyers pay; may be empty
}

func loadPages(product, seller string) (*pages, error) {
	templates, texts, err := appearance.Load(pageFiles, "pages/*.html")
	return &pages{templates: templates, texts: texts, product: product, seller: seller}, err
}

// page is the part that all hosted pages share.
type page struct {
	Locale  string
	Title   string
	Product string // address of the product; may be empty
	Seller  string // whom buyers pay; may be empty
	texts   map[string]string
	zone    *time.Location // the reader's
}

// page returns a page in the session's language, or else in the browser's.
func (p *pages) page(locale *string, r *http.Request, title string) page {
	chosen := appearance.Language(r).String()
	if locale != nil && *locale != "auto" {
		chosen = *locale
	}
	made := page{Locale: chosen, Product: p.product, Seller: p.seller, texts: p.texts[chosen],
		zone: appearance.Zone(r)}
	made.Title = made.T(title)
	return made
}

// T returns a text with its placeholders filled in: name, value, name, value.
func (p page) T(key string, pairs ...string) string {
	text := p.texts[key]
	for i := 0; i+1 < len(pairs); i += 2 {
		text = strings.ReplaceAll(text, "%{"+pairs[i]+"}", pairs[i+1])
	}
	return text
}

func (p page) money(amount int64, code string) string { return money(amount, code, p.Locale) }

func (p page) formatDay(t time.Time) string  { return appearance.FormatDay(t, p.Locale, p.zone) }
func (p page) formatTime(t time.Time) string { return appearance.FormatTime(t, p.Locale, p.zone) }

// send renders a page. formTargets lists the other origins that its forms may redirect to.
func (s *Server) send(w http.ResponseWriter, status int, name string, data any, formTargets ...string) {
	var body bytes.Buffer
	if err := s.pages.templates.ExecuteTemplate(&body, name, data); err != nil {
		s.log.Error("stripe sandbox: render page failed", "err", err, "page", name)
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return
	}
	// Browsers apply form-action to the redirects after a form too.
	forms := "'self'"
	for _, address := range formTargets {
		if o := origin(address); o != "" {
			forms += " " + o
		}
	}
	h := w.Header()
	h.Set("Content-Security-Policy",
		"default-src 'none'; style-src 'self'; font-src 'self'; img-src 'self'; form-action "+forms+
			"; base-uri 'none'; frame-ancestors 'none'")
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	if _, err := w.Write(body.Bytes()); err != nil {
		s.log.Debug("stripe sandbox: write page failed", "err", err)
	}
}

var hostName = regexp.MustCompile(`^[A-Za-z0-9.:\[\]-]+$`)

// origin returns scheme and host of an address, or "" if a content policy cannot name them.
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

// closedPage explains why a session cannot be paid, with a link back.
type closedPage struct {
	page
	Text string
	Back string
}

// closed sends the page "closed.<reason>".
func (s *Server) closed(w http.ResponseWriter, r *http.Request, status int, reason string, locale *string,
	back string) {
	p := closedPage{page: s.pages.page(locale, r, "closed."+reason+".title"), Back: back}
	p.Text = p.T("closed." + reason + ".text")
	s.send(w, status, "closed.html", p)
}

// typed formats an amount for an input field.
func (p page) typed(amount int64, code string) string {
	if p.Locale == localeGerman {
		return strings.ReplaceAll(decimal(amount, code), ".", ",")
	}
	return decimal(amount, code)
}
