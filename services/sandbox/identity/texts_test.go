package identity

import (
	"regexp"
	"testing"

	"github.com/resume-matcher/credits/services/sandbox/appearance"
)

func TestEveryTextInEveryLanguage(t *testing.T) {
	t.Parallel()
	_, texts, err := appearance.Load(assets, "page.html")
	if err != nil {
		t.Fatal(err)
	}
	source, err := assets.ReadFile("page.html")
	if err != nil {
		t.Fatal(err)
	}
	keys := []string{string(nameWrong), string(emailWrong), string(subjectWrong)}
	for _, match := range regexp.MustCompile(`\.T\.(\w+)`).FindAllStringSubmatch(string(source), -1) {
		keys = append(keys, match[1])
	}
	for _, key := range keys {
		for _, lang := range []string{"en", "de"} {
			if texts[lang][key] == "" {
				t.Errorf("%s has no text for %s", lang, key)
			}
		}
	}
	if len(texts["de"]) != len(texts["en"]) || len(texts) != 2 {
		t.Errorf("texts: %d German, %d English, %d languages", len(texts["de"]), len(texts["en"]), len(texts))
	}
}
