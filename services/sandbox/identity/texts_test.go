package identity

import (
	"regexp"
	"testing"
)

func TestEveryTextInEveryLanguage(t *testing.T) {
	t.Parallel()
	p, err := loadPages()
	if err != nil {
		t.Fatal(err)
	}
	for _, match := range regexp.MustCompile(`\.T\.(\w+)`).FindAllStringSubmatch(pageSource, -1) {
		for _, lang := range languages {
			if p.texts[lang.String()][match[1]] == "" {
				t.Errorf("%s has no text for %s", lang, match[1])
			}
		}
	}
	for _, wrong := range []problem{nameWrong, emailWrong, subjectWrong} {
		for _, lang := range languages {
			if p.texts[lang.String()][string(wrong)] == "" {
				t.Errorf("%s has no text for %s", lang, wrong)
			}
		}
	}
	if len(p.texts["de"]) != len(p.texts["en"]) || len(p.texts) != len(languages) {
		t.Errorf("texts: %d German, %d English, %d languages", len(p.texts["de"]), len(p.texts["en"]), len(p.texts))
	}
}
