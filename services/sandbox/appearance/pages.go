package appearance

import (
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"

	"golang.org/x/text/language"
	"gopkg.in/yaml.v3"
)

// The languages of the pages, the default first.
var (
	languages = []language.Tag{language.English, language.German}
	matcher   = language.NewMatcher(languages)
)

// Language returns the language of a page: the one asked for or, without any, the browser's.
func Language(r *http.Request, asked ...language.Tag) language.Tag {
	if len(asked) == 0 {
		asked, _, _ = language.ParseAcceptLanguage(r.Header.Get("Accept-Language")) // an unreadable one asks for nothing
	}
	_, index, _ := matcher.Match(asked...)
	return languages[index]
}

// Texts are the texts of the pages, by language and then key.
type Texts map[string]map[string]string

// Load parses the pages that match a pattern, and the texts.yaml beside them.
func Load(files fs.FS, pattern string) (*template.Template, Texts, error) {
	pages, err := template.ParseFS(files, pattern)
	if err != nil {
		return nil, nil, fmt.Errorf("parse pages: %w", err)
	}
	var texts Texts
	source, err := fs.ReadFile(files, path.Join(path.Dir(pattern), "texts.yaml"))
	if err == nil {
		err = yaml.Unmarshal(source, &texts)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("read texts: %w", err)
	}
	return pages, texts, nil
}
