// Package legal holds the legal texts of a shop: those of the operator, as Markdown files, the instruction on
// withdrawal with its form, which follow the statutory models, and the accessibility statement. Operators have them
// checked by a lawyer.
package legal

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"text/template"
	"unicode/utf8"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"

	"github.com/resume-matcher/credits/models"
)

// Kind is a legal text. Its title is legal.title.<kind>.
type Kind string

// The kinds.
const (
	Imprint    Kind = "imprint"
	Terms      Kind = "terms"
	Privacy    Kind = "privacy"
	Withdrawal Kind = "withdrawal" // the instruction on the right of withdrawal
	Form       Kind = "form"       // the model form to withdraw

	Accessibility Kind = "accessibility" // the accessibility statement
)

// Kinds lists every kind, in the order of the footer.
var Kinds = []Kind{Imprint, Terms, Privacy, Withdrawal, Form, Accessibility}

// maxText is the largest file, in bytes.
const maxText = 256 << 10

// Seller is who sells, as the instruction names them.
type Seller struct {
	Name    string
	Address string // lines separated by line breaks or commas
	Email   string
	AppURL  string
}

// Document is a legal text in one language.
type Document struct {
	Kind    Kind
	Locale  string // of the text, which is another than asked for when there is no translation
	Source  string // Markdown
	HTML    string // without any markup of the source's own
	Version string // changes with the text
}

// Library holds the documents. The zero value has none.
type Library struct{ documents map[Kind]map[string]Document }

// Document returns a text in the language, or else in another; ok is false when there is none.
func (l Library) Document(kind Kind, locale string) (d Document, ok bool) {
	translations := l.documents[kind]
	if d, ok = translations[locale]; ok {
		return d, true
	}
	for _, other := range slices.Sorted(maps.Keys(translations)) { // German, the language of the law, comes first
		return translations[other], true
	}
	return Document{}, false
}

//go:embed texts/*.md
var texts embed.FS

// Load reads the texts of a directory, named kind.language.md, such as terms.de.md. Without a file, the instruction and
// the form are the statutory ones, if the seller is complete, and the accessibility statement is ours. An empty
// directory name means no files.
//
// Errors: a file that cannot be read, is too large, is not UTF-8, or has another name.
func Load(dir string, seller Seller) (Library, error) {
	library := Library{documents: map[Kind]map[string]Document{}}
	own := []Kind{Accessibility}
	if seller.complete() {
		own = append(own, Withdrawal, Form)
	}
	for _, kind := range own {
		for _, locale := range models.Locales {
			text, err := seller.fill(kind, locale)
			if err != nil {
				return library, err
			}
			if err := library.add(kind, locale, text); err != nil {
				return library, err
			}
		}
	}
	if dir == "" {
		return library, nil
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		return library, fmt.Errorf("read LEGAL_DIR: %w", err)
	}
	var problems []error
	for _, file := range files {
		if file.IsDir() || strings.HasPrefix(file.Name(), ".") {
			continue
		}
		problems = append(problems, library.read(os.DirFS(dir), file.Name()))
	}
	return library, errors.Join(problems...)
}

// read adds a file.
func (l Library) read(dir fs.FS, name string) error {
	parts := strings.Split(name, ".")
	if len(parts) != 3 || parts[2] != "md" || !slices.Contains(Kinds, Kind(parts[0])) || !models.KnownLocale(parts[1]) {
		return fmt.Errorf("LEGAL_DIR: %s is none of imprint, terms, privacy, withdrawal, form, accessibility in de or en, "+
			"such as terms.de.md", name)
	}
	info, err := fs.Stat(dir, name)
	if err != nil {
		return fmt.Errorf("LEGAL_DIR: %w", err)
	}
	if info.Size() > maxText {
		return fmt.Errorf("LEGAL_DIR: %s is larger than 256 KiB", name)
	}
	text, err := fs.ReadFile(dir, name)
	if err != nil {
		return fmt.Errorf("LEGAL_DIR: %w", err)
	}
	if !utf8.Valid(text) || strings.TrimSpace(string(text)) == "" {
		return fmt.Errorf("LEGAL_DIR: %s is empty or not UTF-8", name)
	}
	return l.add(Kind(parts[0]), parts[1], string(text))
}

// markdown renders CommonMark with tables. Markup in the source becomes a comment.
var markdown = goldmark.New(goldmark.WithExtensions(extension.Table))

func (l Library) add(kind Kind, locale, text string) error {
	var page bytes.Buffer
	if err := markdown.Convert([]byte(text), &page); err != nil {
		return fmt.Errorf("render %s in %s: %w", kind, locale, err)
	}
	sum := sha256.Sum256([]byte(text))
	if l.documents[kind] == nil {
		l.documents[kind] = map[string]Document{}
	}
	l.documents[kind][locale] = Document{Kind: kind, Locale: locale, Source: text, HTML: page.String(),
		Version: hex.EncodeToString(sum[:6])}
	return nil
}

func (s Seller) complete() bool { return s.Name != "" && s.Address != "" && s.Email != "" }

// Lines are the seller's name and address, a line each.
func (s Seller) Lines() []string {
	lines := []string{s.Name}
	for _, line := range strings.FieldsFunc(s.Address, func(r rune) bool { return r == '\n' || r == ',' }) {
		lines = append(lines, strings.TrimSpace(line))
	}
	return lines
}

// fill inserts the seller into a text of ours.
func (s Seller) fill(kind Kind, locale string) (string, error) {
	name := "texts/" + string(kind) + "." + locale + ".md"
	text, err := template.New(string(kind)+"."+locale+".md").Funcs(template.FuncMap{
		"join": strings.Join, "escape": escape,
	}).ParseFS(texts, name)
	if err != nil {
		return "", fmt.Errorf("parse %s: %w", name, err)
	}
	var filled strings.Builder
	if err := text.Execute(&filled, s); err != nil {
		return "", fmt.Errorf("fill %s: %w", name, err)
	}
	return filled.String(), nil
}

// escape keeps a setting from being read as Markdown.
func escape(text string) string {
	var escaped strings.Builder
	for _, r := range text {
		if strings.ContainsRune("\\`*_{}[]()<>#+!|~&", r) {
			escaped.WriteByte('\\')
		}
		escaped.WriteRune(r)
	}
	return escaped.String()
}
