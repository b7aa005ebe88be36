package stripe

import (
	"net/http"
	"net/url"

	"github.com/resume-matcher/credits/services/loopback"
	"github.com/resume-matcher/credits/services/sandbox/appearance"
)

// routes registers every address of the stand-in.
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	for _, e := range append(s.endpoints(), s.triggerEndpoints()...) {
		mux.HandleFunc(e.pattern, s.handle(&e))
	}
	mux.HandleFunc("/v1/", s.handle(nil))

	for _, e := range s.controls() {
		mux.HandleFunc(e.pattern, s.serveControl(&e))
	}
	mux.HandleFunc("GET /c/pay/{id}", s.showCheckout)
	mux.HandleFunc("POST /c/pay/{id}", s.submitCheckout)
	mux.HandleFunc("GET /receipts/{id}", s.showReceipt)
	mux.HandleFunc("GET /invoices/{id}", s.showInvoice)
	mux.HandleFunc("GET /{$}", s.showDashboard)
	mux.HandleFunc("GET /dashboard", s.showDashboard)
	mux.HandleFunc("GET /dashboard/payments/{id}", s.showPayment)
	mux.HandleFunc("GET /dashboard/delivery", s.showDelivery)
	mux.HandleFunc("GET /assets/checkout.css", s.asset("checkout.css", "text/css; charset=utf-8"))
	appearance.Register(mux)
	mux.HandleFunc("GET /assets/icon.svg", s.asset("icon.svg", "image/svg+xml"))
	mux.HandleFunc("GET /favicon.ico", s.asset("icon.svg", "image/svg+xml"))
	return s.guard(mux)
}

// guard refuses forms from other sites, and host names other than this machine's.
func (s *Server) guard(next http.Handler) http.Handler {
	forms := http.NewCrossOriginProtection()
	forms.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.closed(w, r, http.StatusForbidden, "foreign", nil, "")
	}))
	protected := forms.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Referrer-Policy", "strict-origin")
		h.Set("X-Content-Type-Options", "nosniff")
		defer func() {
			if p := recover(); p != nil {
				s.log.Error("stripe sandbox: panicked", "err", p, "route", r.Pattern)
				s.closed(w, r, http.StatusInternalServerError, "fault", nil, "")
			}
		}()
		if u := (url.URL{Host: r.Host}); !loopback.Is(u.Hostname()) {
			http.Error(w, "This stand-in answers only on localhost.", http.StatusMisdirectedRequest)
			return
		}
		protected.ServeHTTP(w, r)
	})
}
