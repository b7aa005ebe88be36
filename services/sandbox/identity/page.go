package identity

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"net/http"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
	"golang.org/x/text/language"
	"gopkg.in/yaml.v3"
)

//go:embed assets
var assets embed.FS

//go:embed page.html
var pageSource string

//go:embed texts.yaml
var textSource []byte

// pages is the sign-in page and its words.
type pages struct {
	page  *template.Template
	texts map[string]map[string]string // language, key
}

// languages in the order in which they are preferred when none is asked for.
var (
	languages = []language.Tag{language.English, language.German}
	matcher   = language.NewMatcher(languages)
)

// view is the content of the page.
type view struct {
	Lang                  string
	T                     map[string]string
	Product               string // address of the product
	Request               string
	Expired               bool
	Problem               problem
	Name, Email, Subject  string
	Verified              bool
	DemoName, DemoEmail   string
	AdminName, AdminEmail string
}

// Wrong is the text for one field's problem, or nothing when another field is at fault.
func (v view) Wrong(p string) string {
	if string(v.Problem) != p {
		return ""
	}
	return v.T[p]
}

func loadPages() (*pages, error) {
	p := &pages{}
	if err := yaml.Unmarshal(textSource, &p.texts); err != nil {
		return nil, fmt.Errorf("identity stand-in: texts: %w", err)
	}
	page, err := template.New("page").Parse(pageSource)
	if err != nil {
		return nil, fmt.Errorf("identity stand-in: page: %w", err)
	}
	p.page = page
	return p, nil
}

// languageOf follows the product's ui_locales, else the browser.
func languageOf(r *http.Request, asked []language.Tag) language.Tag {
	if len(asked) == 0 {
		if accepted, _, err := language.ParseAcceptLanguage(r.Header.Get("Accept-Language")); err == nil {
			asked = accepted
		}
	}
	_, index, _ := matcher.Match(asked...)
	return languages[index]
}

func (s *Server) showLogin(w http.ResponseWriter, r *http.Request) {
	req, err := s.store.find(r.URL.Query().Get("request"))
	if err != nil || req.done {
		s.renderExpired(w, r)
		return
	}
	s.render(w, http.StatusOK, languageOf(r, req.asked.UILocales), view{Request: req.id, Verified: true})
}

// signIn takes the tester's choice and sends the browser back through the protocol's callback.
func (s *Server) signIn(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		status := http.StatusBadRequest
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			status = http.StatusRequestEntityTooLarge
		}
		http.Error(w, http.StatusText(status), status)
		return
	}
	form := r.PostForm
	req, err := s.store.find(form.Get("request"))
	if err != nil || req.done {
		s.renderExpired(w, r)
		return
	}
	lang := languageOf(r, req.asked.UILocales)
	if form.Get("choice") == "cancel" {
		s.cancel(w, r, req)
		return
	}
	who, wrong := chosen(r, lang)
	if wrong != "" {
		s.render(w, http.StatusUnprocessableEntity, lang, view{
			Request: req.id, Problem: wrong, Name: form.Get("name"), Email: form.Get("email"),
			Subject: form.Get("subject"), Verified: form.Has("email_verified"),
		})
		return
	}
	if !s.store.choose(req.id, who) {
		s.renderExpired(w, r)
		return
	}
	callback := op.AuthCallbackURL(s.provider)(op.ContextWithIssuer(r.Context(), s.issuer), req.id)
	http.Redirect(w, r, callback, http.StatusSeeOther)
}

func chosen(r *http.Request, lang language.Tag) (person, problem) {
	form := r.PostForm
	switch form.Get("choice") {
	case "demo-user":
		return newPerson(demoName, demoEmail, "", true, lang)
	case "demo-admin":
		return newPerson(adminName, adminEmail, "", true, lang)
	}
	return newPerson(form.Get("name"), form.Get("email"), form.Get("subject"), form.Has("email_verified"), lang)
}

// cancel answers the product that the user cancelled the sign-in.
func (s *Server) cancel(w http.ResponseWriter, r *http.Request, req *request) {
	if err := s.store.DeleteAuthRequest(r.Context(), req.id); err != nil {
		s.log.ErrorContext(r.Context(), "identity stand-in: cancel", "err", err)
	}
	op.AuthRequestError(w, r, req, oidc.ErrAccessDenied(), s.provider)
}

func (s *Server) renderExpired(w http.ResponseWriter, r *http.Request) {
	s.render(w, http.StatusBadRequest, languageOf(r, nil), view{Expired: true})
}

func (s *Server) render(w http.ResponseWriter, status int, lang language.Tag, v view) {
	v.Lang = lang.String()
	v.T, v.Product = s.pages.texts[v.Lang], s.product
	v.DemoName, v.DemoEmail, v.AdminName, v.AdminEmail = demoName, demoEmail, adminName, adminEmail
	var page bytes.Buffer
	if err := s.pages.page.Execute(&page, v); err != nil {
		s.log.Error("identity stand-in: page", "err", err)
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(page.Bytes()) // a closed connection is not an error
}
