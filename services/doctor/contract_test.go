package doctor

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/resume-matcher/credits/services/sandbox/mailbox"
)

// A shop without letters or legal texts may be tried, but not opened.
func TestLettersAndLegalTexts(t *testing.T) {
	f := healthy(t)
	texts := t.TempDir()
	for _, name := range []string{"imprint.de.md", "terms.de.md", "privacy.de.md", "withdrawal.de.md"} {
		if err := os.WriteFile(filepath.Join(texts, name), []byte("Text"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	broken := t.TempDir()
	if err := os.WriteFile(filepath.Join(broken, "agb.md"), []byte("Text"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		env       map[string]string
		strict    Level
		otherwise Level
		text      string
	}{
		"no mail server":      {map[string]string{"SMTP_URL": ""}, Red, Warning, "doctor.mail.none"},
		"another mail server": {map[string]string{"SMTP_URL": "smtp://127.0.0.1:9"}, Red, Red, "doctor.mail.away"},
		"no imprint":          {map[string]string{"IMPRINT_URL": ""}, Red, Warning, "doctor.legal.missing"},
		"no seller":           {map[string]string{"SELLER_NAME": ""}, Red, Warning, "doctor.legal.missing"},
		"texts of the operator": {map[string]string{"LEGAL_DIR": texts, "IMPRINT_URL": "", "SELLER_NAME": ""}, OK, OK,
			"doctor.legal.ok"},
		"a file of another name": {map[string]string{"LEGAL_DIR": broken}, Red, Red, "doctor.legal.unreadable"},
	} {
		for _, strict := range []bool{false, true} {
			env, want := f.env, c.otherwise
			f.env = maps.Clone(env)
			maps.Copy(f.env, c.env)
			if strict {
				f.live()
				want = c.strict
			}
			if got := f.levelOf(c.text); got != want {
				t.Errorf("%s, in production %t: %s is %q, want %q", name, strict, c.text, got, want)
			}
			f.env = env
		}
	}
	f.mail.SetFault(mailbox.Closed)
	if got := f.levelOf("doctor.mail.away"); got != Red {
		t.Errorf("a mail server that turns everybody away is %q, want %q", got, Red)
	}
}

// A test letter arrives, or the finding says what the server answered. It names no address.
func TestLetterToTheOperator(t *testing.T) {
	f := healthy(t)
	if got := f.levelOf("doctor.letter.sent"); got != "" {
		t.Errorf("without a letter, a finding about one is %q, want none", got)
	}
	f.letter = &TestLetter{Subject: "Test", Text: "It works."}
	if got := f.levelOf("doctor.letter.no_address"); got != Red {
		t.Errorf("a letter without an address is %q, want %q", got, Red)
	}
	f.letter.To = "operator@example.org"
	checks := f.check()
	i := slices.IndexFunc(checks, func(c Check) bool { return c.Text == "doctor.letter.sent" })
	if i < 0 || checks[i].Level != OK || !strings.Contains(fmt.Sprint(checks[i].Args["answer"]), "OK") {
		t.Errorf("findings = %+v, want the letter sent with the server's answer", checks)
	}
	if letters := f.mail.Letters(); len(letters) != 1 {
		t.Errorf("%d letters arrived, want 1", len(letters))
	}
	f.mail.SetFault(mailbox.Unknown)
	checks = f.check()
	i = slices.IndexFunc(checks, func(c Check) bool { return c.Text == "doctor.letter.refused" })
	if i < 0 || checks[i].Level != Red || strings.Contains(fmt.Sprint(checks[i].Args), "operator@") {
		t.Errorf("findings = %+v, want a red one without the address", checks)
	}
	f.with("SMTP_URL", "")
	if got := f.levelOf("doctor.letter.no_server"); got != Red {
		t.Errorf("a letter without a mail server is %q, want %q", got, Red)
	}
}

// levelOf returns the level of the finding with a text; empty without one.
func (f *fixture) levelOf(text string) Level {
	checks := f.check()
	i := slices.IndexFunc(checks, func(c Check) bool { return c.Text == text })
	if i < 0 {
		return ""
	}
	return checks[i].Level
}
