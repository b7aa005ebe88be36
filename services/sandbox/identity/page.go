package identity

import (
	"bytes"
	"embed"
	"errors"
	"net/http"

	"github.com/resume-matcher/credits/services/sandbox/appearance"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
	"golang.org/x/text/language"
)

//go:embed assets page.html texts.yaml
var assets embed.FS

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

func (s *Server) showLogin(w http.ResponseWriter, r *http.Request) {
	req, err := s.store.find(r.URL.Query().Get("request"))
	if err != nil || req.done {
		s.renderExpired(w, r)
		return
	}
	s.render(w, http.StatusOK, appearance.Language(r, req.asked.UILocales...), view{Request: req.id, Verified: true})
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
	lang := appearance.Language(r, req.asked.UILocales...)
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
	s.render(w, http.StatusBadRequest, appearance.Language(r), view{Expired: true})
}

func (s *Server) render(w http.ResponseWriter, status int, lang language.Tag, v view) {
	v.Lang = lang.String()
	v.T, v.Product = s.texts[v.Lang], s.product
	v.DemoName, v.DemoEmail, v.AdminName, v.AdminEmail = demoName, demoEmail, adminName, adminEmail
	var page bytes.Buffer
	if err := s.page.Execute(&page, v); err != nil {
		s.log.Error("identity stand-in: page", "err", err)
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(page.Bytes()) // a closed connection is not an error
}
