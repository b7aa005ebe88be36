package resumematcher

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"io"
	"mime"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/resume-matcher/credits/services/sandbox/appearance"
)

//go:embed pages
var pageFiles embed.FS

// The frontend lets shared caches keep its pages for a year, and browsers its hashed files for ever.
const (
	cachePages  = "s-maxage=31536000"
	cacheStatic = "public, max-age=31536000, immutable"
)

// pageNames are the frontend's pages, and the backend's that it leads to. The first three do real work.
var pageNames = []string{
	"/dashboard", "/tailor", "/builder", "/", "/tracker", "/settings", "/resume-wizard", "/docs", "/redoc",
}

// pages holds the templates and their texts.
type pages struct {
	templates *template.Template
	texts     appearance.Texts
	build     string // names the style sheet and the script, which browsers keep for ever
}

// view is the content of a page.
type view struct {
	Lang    string
	T       map[string]string
	Path    string
	Nav     []string
	Public  string // origin of the pages; empty: this one
	Control string // address of the control page
	Build   string
	Resume  object
	State   state
}

func loadPages() (*pages, error) {
	templates, texts, err := appearance.Load(pageFiles, "pages/*.html")
	if err != nil {
		return nil, fmt.Errorf("resume matcher stand-in: %w", err)
	}
	p := &pages{templates: templates, texts: texts}
	for _, name := range []string{"app.css", "app.js"} {
		file, err := pageFiles.ReadFile("pages/" + name)
		if err != nil {
			return nil, fmt.Errorf("resume matcher stand-in: read %s: %w", name, err)
		}
		sum := sha256.Sum256(append(file, p.build...))
		p.build = hex.EncodeToString(sum[:8])
	}
	return p, nil
}

// routePage finds what serves a request to the frontend.
func (a *App) routePage(c *call, target string) {
	target = strings.TrimSuffix(target, "/")
	if target == "" {
		target = "/"
	}
	c.route = c.r.Method + " " + target
	page := func(status int, name string) {
		file := name[1:] + ".html"
		if name == "/" {
			file = "home.html"
		}
		if a.pages.templates.Lookup(file) == nil {
			file = "page.html"
		}
		c.serve = func(c *call) answer { return a.render(c.r, status, file, view{Path: name}) }
	}
	directory, file := path.Split(target)
	switch {
	case strings.HasPrefix(target, "/_next/static/"), target == "/logo.svg":
		c.route = c.r.Method + " /_next/static/{file}"
		c.serve = func(*call) answer { return a.sendFile(file) }
	case target == "/_next/image":
		c.serve = a.fetchImage
	case directory == "/print/resumes/":
		c.route = c.r.Method + " /print/resumes/{resume_id}"
		c.serve = func(c *call) answer { return a.print(c.r, file) }
	case directory == "/resumes/":
		c.route = c.r.Method + " /resumes/{resume_id}"
		page(http.StatusOK, "/resumes")
	case target == "/openapi.json":
		c.serve = func(*call) answer {
			return jsonAnswer(http.StatusOK, object{"openapi": "3.1.0", "paths": a.operationNames()})
		}
	case slices.Contains(pageNames, target):
		page(http.StatusOK, target)
	default:
		page(http.StatusNotFound, "/404")
	}
}

// render renders a page. Where Next fetches a page in advance, it asks for data in place of a document.
func (a *App) render(r *http.Request, status int, name string, v view) answer {
	v.Lang = appearance.Language(r).String()
	v.T, v.Nav, v.Build = a.pages.texts[v.Lang], pageNames[:3], a.pages.build
	// The gate names this server as the host, and forwards no form of the control page.
	v.Control = (&url.URL{Scheme: "http", Host: r.Host, Path: controlPath}).String()
	ans := answer{status: status, kind: "text/html; charset=utf-8", header: http.Header{
		"Cache-Control": {cachePages}, "X-Powered-By": {"Next.js"}, "Vary": {"rsc, next-router-prefetch, Accept-Language"},
	}}
	if r.URL.Query().Has("_rsc") || r.Header.Get("Rsc") != "" {
		ans.kind, ans.body = "text/x-component", []byte("0:{\"page\":\""+v.Path+"\"}\n")
		return ans
	}
	var body bytes.Buffer
	if err := a.pages.templates.ExecuteTemplate(&body, name, v); err != nil {
		return answer{status: http.StatusInternalServerError, kind: "text/plain", body: []byte(err.Error())}
	}
	ans.body = body.Bytes()
	return ans
}

func (a *App) sendFile(name string) answer {
	data, err := pageFiles.ReadFile("pages/" + name)
	if name == "space-grotesk.woff2" {
		data, err = appearance.Font, nil
	}
	if err != nil || strings.HasSuffix(name, ".html") {
		return answer{status: http.StatusNotFound, kind: "text/plain", body: []byte("Not Found")}
	}
	return answer{status: http.StatusOK, kind: mime.TypeByExtension(path.Ext(name)), body: data,
		header: http.Header{"Cache-Control": {cacheStatic}}}
}

// print shows a resume to a visitor with its id. With the add-on, the page reads nothing without an identity.
func (a *App) print(r *http.Request, id string) answer {
	a.mu.Lock()
	var resume object
	if a.shared {
		resume, _ = a.householdOf("").find("resume", id)["processed_resume"].(object)
	}
	a.mu.Unlock()
	return a.render(r, http.StatusOK, "print.html", view{Path: "/print", Resume: resume})
}

// fetchImage fetches a path of this very server, and refuses the answer because it is not an image.
func (a *App) fetchImage(c *call) answer {
	source := c.r.URL.Query().Get("url")
	if u, err := url.Parse(source); err == nil && strings.HasPrefix(source, "/") {
		inner := &http.Request{Method: http.MethodGet, URL: u, RequestURI: source, Host: c.r.Host, Header: http.Header{}}
		inner.Body = http.NoBody
		a.ServeHTTP(nowhere{}, inner.WithContext(c.r.Context()))
	}
	return answer{status: http.StatusBadRequest, kind: "text/plain",
		body: []byte(`"url" parameter is valid but upstream response is invalid`)}
}

// nowhere is a ResponseWriter that discards the answer.
type nowhere struct{}

func (nowhere) Header() http.Header         { return http.Header{} }
func (nowhere) Write(b []byte) (int, error) { return io.Discard.Write(b) }
func (nowhere) WriteHeader(int)             {}
