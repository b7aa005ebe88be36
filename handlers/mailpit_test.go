package handlers

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/resume-matcher/credits/handlers/transport"
	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/legal"
	"github.com/resume-matcher/credits/services/mail"
	"github.com/resume-matcher/credits/views/letters"
)

// mailpit is a running Mailpit, a mail server that looks at what it receives.
type mailpit struct {
	t               *testing.T
	smtp, listening string // addresses
}

func startMailpit(t *testing.T) mailpit {
	t.Helper()
	program := buildProgram(t, "testdata/mailpit", "mailpit")
	m := mailpit{t: t, smtp: freeAddress(t), listening: freeAddress(t)}
	cmd := exec.CommandContext(t.Context(), program, "--smtp", m.smtp, "--listen", m.listening, "--disable-version-check",
		"--smtp-strict-rfc-headers", "--smtp-disable-rdns", "--allow-internal-http-requests",
		"--disable-link-check-rate-limit", "--quiet")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Wait() }) // killed at the end of the context
	dbtest.Eventually(t, "Mailpit is ready", func() bool {
		res, err := http.Get("http://" + m.listening + "/readyz")
		if err != nil {
			return false
		}
		return res.Body.Close() == nil && res.StatusCode == http.StatusOK
	})
	return m
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// get reads an answer of its API.
func (m mailpit) get(path string, into any) {
	m.t.Helper()
	res, err := http.Get("http://" + m.listening + "/api/v1/" + path)
	if err != nil {
		m.t.Fatal(err)
	}
	defer res.Body.Close()
	if err := json.NewDecoder(res.Body).Decode(into); err != nil || res.StatusCode != http.StatusOK {
		m.t.Fatalf("%s: status %d, %v", path, res.StatusCode, err)
	}
}

// received is a letter as Mailpit has parsed it.
type received struct {
	MessageID, Subject, Text, HTML string
	From                           struct{ Address string }
	To                             []struct{ Name, Address string }
	Attachments                    []struct{ FileName, ContentType string }
}

// Mailpit, at full depth, receives every letter in both languages: it parses what we wrote, finds no dead link, and
// knows no mail program that does not support the HTML.
func TestLettersInMailpit(t *testing.T) {
	t.Parallel()
	if !dbtest.Full() {
		t.Skip("Mailpit takes minutes to build: make test-full")
	}
	f, pit := newFixture(t), startMailpit(t)
	address, _ := f.serve(transport.Slots{})
	site, keys := f.storeSamples(strings.Replace(address, "127.0.0.1", "localhost", 1))
	server, err := mail.NewServer("smtp://" + pit.smtp)
	if err != nil {
		t.Fatal(err)
	}
	service := mail.Service{DB: f.db, Server: server, From: "credits@example.com", Write: site.Write, Now: models.Now,
		Log: f.handler.Site.Log}
	if err := service.SendDue(t.Context()); err != nil {
		t.Fatal(err)
	}
	var list struct {
		Messages []struct{ ID, MessageID string }
	}
	pit.get("messages?limit=1000", &list)
	if len(list.Messages) != len(keys) {
		t.Errorf("%d letters arrived, want %d", len(list.Messages), len(keys))
	}
	for _, m := range list.Messages {
		t.Run(keys[m.MessageID], func(t *testing.T) {
			name, locale, _ := strings.Cut(keys[m.MessageID], " ")
			pit := mailpit{t: t, listening: pit.listening}
			pit.checkParsed(m.ID, site, name, locale)
			pit.checkHeaders(m.ID)
			pit.checkHTML(m.ID)
			pit.checkLinks(m.ID)
		})
	}
}

// storeSamples stores each sample in each language, to a user whose name needs encoding. It returns what writes them,
// and their names by Message-ID.
func (f *fixture) storeSamples(host string) (letters.Site, map[string]string) {
	f.t.Helper()
	documents, err := legal.Load("", legal.Seller{Name: "Muster GmbH", Address: "Musterweg 1", Email: "help@example.com"})
	if err != nil {
		f.t.Fatal(err)
	}
	site := letters.Site{AppURL: "http://" + host, Support: "help@example.com", Documents: documents,
		Texts: f.handler.Site.Texts}
	user := f.user("ada@example.com", 0)
	if err := f.db.Exec(`UPDATE users SET name = 'Ädä "Ω" <Lovelace>', locale = '' WHERE id = ?`, user.ID).Error; err != nil {
		f.t.Fatal(err)
	}
	err = postgres.Transaction(f.t.Context(), f.db, func(tx models.Tx) error {
		for _, sample := range letters.Samples {
			for _, locale := range models.Locales {
				if err := mail.Add(tx, mail.Letter{Kind: sample.Kind, About: sample.Name + " " + locale, UserID: &user.ID,
					Locale: locale, Args: sample.Args}); err != nil {
					return err
				}
			}
		}
		// Those to the operator, too, who reads them in one language.
		return tx.Exec(`UPDATE letters SET user_id = ?, locale = split_part(key, ' ', 2)`, user.ID).Error
	})
	if err != nil {
		f.t.Fatal(err)
	}
	var stored []models.Letter
	if err := f.db.Find(&stored).Error; err != nil {
		f.t.Fatal(err)
	}
	keys := map[string]string{}
	for _, l := range stored {
		keys[l.ID.String()+"@example.com"] = l.Key
	}
	return site, keys
}

// checkParsed compares a letter with what we wrote.
func (m mailpit) checkParsed(id string, site letters.Site, name, locale string) {
	m.t.Helper()
	var got received
	m.get("message/"+id, &got)
	for _, sample := range letters.Samples {
		if sample.Name != name {
			continue
		}
		letter, err := sample.Letter(locale)
		if err != nil {
			m.t.Fatal(err)
		}
		if letter.ID, err = uuid.Parse(strings.TrimSuffix(got.MessageID, "@example.com")); err != nil {
			m.t.Fatal(err)
		}
		want, err := site.Write(letter, mail.Recipient{Name: `Ädä "Ω" <Lovelace>`})
		if err != nil {
			m.t.Fatal(err)
		}
		lines := strings.NewReplacer("\r\n", "\n")
		subject := strings.ReplaceAll(want.Subject, "\u00a0", " ") // a header is one line anyway
		if got.Subject != subject || lines.Replace(got.Text) != want.Text || lines.Replace(got.HTML) != want.HTML {
			m.t.Errorf("subject %q, text and HTML\n%s\n%s\nwant %q and\n%s\n%s", got.Subject, got.Text, got.HTML,
				subject, want.Text, want.HTML)
		}
		if len(got.Attachments) != len(want.Attachments) {
			m.t.Errorf("attachments %+v, want %d", got.Attachments, len(want.Attachments))
		}
	}
	if len(got.To) != 1 || got.To[0].Name != `Ädä "Ω" <Lovelace>` || got.To[0].Address != "ada@example.com" ||
		got.From.Address != "credits@example.com" {
		m.t.Errorf("from %+v to %+v, want from credits@example.com to Ädä alone", got.From, got.To)
	}
}

// checkHeaders checks the headers that mail servers and programs judge by.
func (m mailpit) checkHeaders(id string) {
	m.t.Helper()
	headers := map[string][]string{}
	m.get("message/"+id+"/headers", &headers)
	for _, name := range []string{"Date", "From", "To", "Subject", "Message-Id", "Mime-Version", "Auto-Submitted"} {
		if len(headers[name]) != 1 || headers[name][0] == "" {
			m.t.Errorf("header %s = %q, want one", name, headers[name])
		}
	}
}

// decorations are what some mail programs ignore: the letter is then less pretty, and as readable.
var decorations = []string{"<body> element", "background", "max-width", "overflow-wrap", "text-decoration"}

// checkHTML checks that all mail programs support what the HTML uses, except for decorations.
func (m mailpit) checkHTML(id string) {
	m.t.Helper()
	var check struct {
		Warnings []struct {
			Title string
			Score struct{ Unsupported float64 }
		}
	}
	m.get("message/"+id+"/html-check", &check)
	for _, w := range check.Warnings {
		if w.Score.Unsupported > 0 && !slices.Contains(decorations, w.Title) {
			m.t.Errorf("%.0f %% of the programs do not support %s", w.Score.Unsupported, w.Title)
		}
	}
}

// checkLinks checks that every link leads somewhere.
func (m mailpit) checkLinks(id string) {
	m.t.Helper()
	var check struct {
		Errors int
		Links  []struct {
			URL        string
			StatusCode int
		}
	}
	m.get("message/"+id+"/link-check?follow=true", &check)
	if check.Errors != 0 || len(check.Links) == 0 {
		m.t.Errorf("%d dead links: %s", check.Errors, fmt.Sprint(check.Links))
	}
}
