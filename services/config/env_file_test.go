package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/joho/godotenv"

	"github.com/resume-matcher/credits/services/config"
)

// Values are read back as written, all other lines stay, and only the owner can read the file.
func TestWriteFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), ".env")
	before := "# mine\nLOG_LEVEL=debug\nexport PORT=1\nSELLER_NAME=old\n\n#APP_URL=commented\nSELLER_NAME=older\n" +
		"SELLER_ADDRESS=\"Altweg 1\n12345 Altstadt\"\nSUPPORT_EMAIL='two\nlines'\n"
	if err := os.WriteFile(path, []byte(before), 0o644); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"LOG_LEVEL": "debug", "PORT": "3100", "APP_URL": "https://credits.example.com",
		"SELLER_NAME": "O'Neill & \"Söhne\" $5 \\n", "SELLER_ADDRESS": "Musterweg 1\n12345 Musterstadt # hinten",
		"SUPPORT_EMAIL": "two\nlines",
		"DATABASE_URL":  "postgres://app:p$ss'w@localhost/x?sslmode=disable", "EMPTY": ""}
	var set []config.Assignment
	for _, name := range []string{"PORT", "APP_URL", "SELLER_NAME", "SELLER_ADDRESS", "DATABASE_URL", "EMPTY"} {
		set = append(set, config.Assignment{Name: name, Value: want[name]})
	}
	for range 2 { // twice: the same
		if err := config.WriteFile(path, set); err != nil {
			t.Fatal(err)
		}
	}
	got, err := godotenv.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range want {
		if got[name] != value {
			t.Errorf("%s = %q, want %q", name, got[name], value)
		}
	}
	text, _ := os.ReadFile(path)
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 || strings.Count(string(text), "SELLER_NAME") != 1 ||
		strings.Contains(string(text), "Altstadt") ||
		!strings.HasPrefix(string(text), "# mine\n") || !strings.Contains(string(text), "#APP_URL=commented\n") {
		t.Errorf("mode %v, want 0600 with the other lines kept:\n%s", info.Mode(), text)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".env-*")); len(left) > 0 {
		t.Errorf("temporary files are left: %v", left)
	}
	if err := config.WriteFile(filepath.Join(t.TempDir(), "none", ".env"), set); err == nil {
		t.Error("a missing directory: got no error")
	}
}
