package e2e

import (
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/PuerkitoBio/goquery"
	"golang.org/x/net/html"
	"gopkg.in/yaml.v3"
)

var rawKey = regexp.MustCompile(`\b[a-z_]+(\.[a-z_]+)+\b`)

// checkWords requires that no text is missing and that none is in the other language.
func (c *crawler) checkWords(address string, doc *goquery.Document) {
	text := visible(doc.Nodes[0])
	for _, sign := range []string{"!(", "%{", "<nil>", "%!"} {
		if i := strings.Index(text, sign); i >= 0 {
			c.t.Errorf("%s: missing text: %.80s", address, text[i:])
		}
	}
	for _, key := range rawKey.FindAllString(text, -1) {
		if c.texts[c.locale][key] != "" {
			c.t.Errorf("%s shows the key %s instead of its text", address, key)
		}
	}
	reported := map[string]bool{}
	for _, word := range words(text) {
		if c.foreign[word] && !reported[word] {
			reported[word] = true
			i := strings.Index(strings.ToLower(text), word)
			c.t.Errorf("%s in %q contains the foreign word %q: …%s…", address, c.locale, word,
				strings.Join(strings.Fields(text[max(0, i-40):min(len(text), i+40)]), " "))
		}
	}
}

// visible returns the text that users see or that a screen reader reads, without code, users' own input, and elements
// with a lang of their own.
func visible(node *html.Node) string {
	if node.Type == html.TextNode {
		return node.Data
	}
	var text strings.Builder
	if node.Type == html.ElementNode {
		switch node.Data {
		case "script", "style", "code", "pre":
			return ""
		}
		for _, a := range node.Attr {
			switch a.Key {
			case "lang":
				if node.Data != "html" { // the API's English, language names
					return ""
				}
			case "aria-label", "title", "alt", "placeholder":
				text.WriteString(a.Val + " \n")
			}
		}
	}
	for child := node.FirstChild; child != nil; child = child.NextSibling {
		text.WriteString(visible(child) + " ")
	}
	return text.String()
}

// foreignWords returns the words of the other language's texts that this language's texts never use.
func foreignWords(own, foreign map[string]string) map[string]bool {
	ours, theirs := map[string]bool{}, map[string]bool{}
	for key, text := range own {
		for _, word := range words(text) {
			ours[word] = true
		}
		for _, word := range words(foreign[key]) {
			theirs[word] = true
		}
	}
	for word := range ours {
		delete(theirs, word)
	}
	for _, name := range []string{"example", "demo", "admin"} { // users' names in the tests
		delete(theirs, name)
	}
	return theirs
}

// machine matches addresses, ids and field names.
var machine = regexp.MustCompile(`%\{[^}]*\}|\S*[0-9_/{@]\S*|\S+\.\S+`)

// words returns the words of a text in lower case, from three letters on.
func words(text string) []string {
	found := strings.FieldsFunc(strings.ToLower(machine.ReplaceAllString(text, " ")),
		func(r rune) bool { return !unicode.IsLetter(r) })
	return slices.DeleteFunc(found, func(word string) bool { return len(word) < 3 })
}

// readTexts returns a locale's texts by key.
func readTexts(t *testing.T, locale string) map[string]string {
	t.Helper()
	raw, err := fs.ReadFile(os.DirFS("../../locales"), locale+".yaml")
	if err != nil {
		t.Fatal(err)
	}
	var tree map[string]any
	if err := yaml.Unmarshal(raw, &tree); err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{}
	var flatten func(prefix string, branch map[string]any)
	flatten = func(prefix string, branch map[string]any) {
		for key, value := range branch {
			if inner, ok := value.(map[string]any); ok {
				flatten(prefix+key+".", inner)
			} else {
				texts[prefix+key] = fmt.Sprint(value)
			}
		}
	}
	flatten("", tree)
	return texts
}
