package e2e

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/sandbox/identity"
	"github.com/resume-matcher/credits/services/sandbox/stripe"
)

const publicHost, stripeHost = "credits.example.com", "api.stripe.com"

// productionSite is the product in production mode behind nginx, which terminates TLS with the configuration that
// static/ops has for operators. The product believes that the stand-in is api.stripe.com: a proxy leads it there.
type productionSite struct {
	*site  // url is the public address
	roots  *x509.CertPool
	dial   func(ctx context.Context, network, address string) (net.Conn, error)
	direct string // the product's own address
}

func startBehindNginx(t *testing.T) *productionSite {
	t.Helper()
	const key, client = "sk_test_0123456789abcdef", "credits"
	folder, database, quiet := workDir(t), dbtest.URL(t), slog.New(slog.DiscardHandler)
	certificate, roots := makeCertificate(t, folder)
	port, front := freePort(t), freePort(t)
	s := &productionSite{roots: roots, direct: fmt.Sprintf("http://localhost:%d", port)}
	s.dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		if address == publicHost+":443" {
			address = fmt.Sprintf("127.0.0.1:%d", front)
		}
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	webhook := forwardTo(t, "https://"+publicHost, s.transport())
	stripeServer, err := stripe.Start(t.Context(), stripe.Options{DatabaseURL: database, Listen: "127.0.0.1:0",
		SecretKey: key, WebhookURL: webhook.URL + "/api/stripe/webhook", WebhookSecrets: []string{webhookSecret}, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stripeServer.Close(context.Background()) })
	provider, err := identity.Start(t.Context(), identity.Options{Listen: "127.0.0.1:0", ClientID: client,
		ClientSecret: "0123456789", RedirectURLs: []string{"https://" + publicHost + "/auth/oidc/callback"}, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { provider.Close(context.Background()) })
	env := []string{"APP_ENV=production", "APP_URL=https://" + publicHost, "DATABASE_URL=" + database,
		"STRIPE_SECRET_KEY=" + key, "STRIPE_WEBHOOK_SECRET=" + webhookSecret, "TRUSTED_PROXIES=127.0.0.1",
		"SESSION_SECRET=6d0c1f7be2a94c58b3e1907f5a2d8c46", "OIDC_ISSUER=" + provider.Issuer(), "OIDC_CLIENT_ID=" + client,
		"OIDC_CLIENT_SECRET=0123456789", "SHUTDOWN_DELAY=0", "LOG_FORMAT=json",
		"HTTPS_PROXY=" + tunnel(t, stripeServer.URL(), certificate), "SSL_CERT_FILE=" + filepath.Join(folder, "ca.pem")}
	if out, code := command(t, env, "prices", "sync"); code != 0 {
		t.Fatalf("prices sync: exit status %d, want 0: %s", code, out)
	}
	s.site = startOn(t, port, workDir(t), env...)
	s.url = "https://" + publicHost
	startNginx(t, folder, front, port)
	return s
}

func (s *productionSite) transport() *http.Transport {
	return &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		return s.dial(ctx, network, address)
	}, TLSClientConfig: &tls.Config{RootCAs: s.roots, MinVersion: tls.VersionTLS12}}
}

// makeCertificate makes a certificate for both hosts that is its own authority, and stores it in the folder.
func makeCertificate(t *testing.T, folder string) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, IsCA: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), BasicConstraintsValid: true,
		DNSNames: []string{publicHost, stripeHost}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	private := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})
	for name, text := range map[string][]byte{"ca.pem": certificate, "key.pem": private} {
		if err := os.WriteFile(filepath.Join(folder, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pair, err := tls.X509KeyPair(certificate, private)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(certificate)
	return pair, roots
}

// forwardTo starts a server that passes requests on.
func forwardTo(t *testing.T, target string, transport http.RoundTripper) *httptest.Server {
	t.Helper()
	to, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(&httputil.ReverseProxy{
		Transport: transport,
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(to) },
		ErrorLog:  log.New(io.Discard, "", 0), // the first events come before nginx listens, and are repeated
	})
	t.Cleanup(server.Close)
	return server
}

// tunnel starts a proxy for HTTPS and returns its address. Every connection ends at target, as api.stripe.com.
func tunnel(t *testing.T, target string, certificate tls.Certificate) string {
	t.Helper()
	to, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	forward := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }}
	standIn := httptest.NewUnstartedServer(forward)
	standIn.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	standIn.StartTLS()
	t.Cleanup(standIn.Close)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect || r.Host != stripeHost+":443" {
			http.Error(w, "not Stripe", http.StatusForbidden)
			return
		}
		server, err := net.Dial("tcp", standIn.Listener.Addr().String())
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		client, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			server.Close()
			return
		}
		fmt.Fprint(client, "HTTP/1.1 200 OK\r\n\r\n")
		go func() {
			defer server.Close()
			_, _ = io.Copy(server, buffered)
		}()
		defer client.Close()
		_, _ = io.Copy(client, server)
	}))
	t.Cleanup(proxy.Close)
	return proxy.URL
}

// startNginx runs nginx with static/ops's location in front of the product until the test ends.
func startNginx(t *testing.T, folder string, front, product int) {
	t.Helper()
	location, err := os.ReadFile("../../static/ops/resume-matcher/nginx.conf")
	if err != nil {
		t.Fatal(err)
	}
	location = bytes.ReplaceAll(location, []byte("127.0.0.1:3000"), fmt.Appendf(nil, "127.0.0.1:%d", product))
	text := strings.NewReplacer("FOLDER", folder, "PORT", fmt.Sprint(front), "LOCATION", string(location)).Replace(`
daemon off;
master_process off;
pid FOLDER/pid;
error_log stderr;
events {}
http {
    access_log off;
    client_body_temp_path FOLDER/body;
    proxy_temp_path FOLDER/proxy;
    fastcgi_temp_path FOLDER/fastcgi;
    uwsgi_temp_path FOLDER/uwsgi;
    scgi_temp_path FOLDER/scgi;
    server {
        listen 127.0.0.1:PORT ssl;
        ssl_certificate FOLDER/ca.pem;
        ssl_certificate_key FOLDER/key.pem;
        LOCATION
    }
}`)
	if err := os.WriteFile(filepath.Join(folder, "nginx.conf"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd, said := exec.Command("nginx", "-p", folder, "-c", "nginx.conf"), newOutputBuffer()
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	dbtest.Eventually(t, "nginx listens", func() bool {
		conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", front))
		if err != nil {
			return false
		}
		return conn.Close() == nil
	})
}
