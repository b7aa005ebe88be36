package doctor

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
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

// levelOf returns the level of the finding with a text; empty without one.
func (f *fixture) levelOf(text string) Level {
	checks := f.check()
	i := slices.IndexFunc(checks, func(c Check) bool { return c.Text == text })
	if i < 0 {
		return ""
	}
	return checks[i].Level
}
