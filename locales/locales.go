// Package locales holds every user-visible sentence in each language and returns it by key.
package locales

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"github.com/invopop/ctxi18n/i18n"
	"golang.org/x/text/language"
	"gopkg.in/yaml.v3"
)

//go:embed *.yaml
var files embed.FS

// codes are the languages, the default first. They equal models.Locales.
var codes = []string{"en", "de"}

// Catalog is every text in every language.
type Catalog struct {
	locales map[string]*i18n.Locale
	plain   map[string]map[string]string // by language and whole key, for T without arguments
	matcher language.Matcher
}

type plainKey struct{}

// Load reads the embedded files. It does the work of ctxi18n.Load, which keeps JSON's escapes in the texts and
// silently drops values that are not texts.
// Errors: a file that is missing or broken, a value that is not a text, a key that occurs twice, an empty text.
func Load() (*Catalog, error) { return load(files) }

func load(source fs.FS) (*Catalog, error) {
	c := &Catalog{locales: map[string]*i18n.Locale{}, plain: map[string]map[string]string{}}
	tags := make([]language.Tag, 0, len(codes))
	for _, code := range codes {
		texts, err := read(source, code)
		if err != nil {
			return nil, err
		}
		dict := i18n.NewDict()
		c.plain[code] = map[string]string{}
		for key, value := range texts {
			dict.Add(key, value)
			flatten(c.plain[code], key, value)
		}
		c.locales[code] = i18n.NewLocale(i18n.Code(code), dict)
		tags = append(tags, language.MustParse(code))
	}
	c.matcher = language.NewMatcher(tags)
	return c, nil
}

// flatten adds the texts of a value by their whole keys.
func flatten(texts map[string]string, key string, value any) {
	switch v := value.(type) {
	case string:
		texts[key] = v
	case map[string]any:
		for name, below := range v {
			flatten(texts, key+"."+name, below)
		}
	}
}

// Codes returns the languages, the default first.
func (c *Catalog) Codes() []string { return append([]string(nil), codes...) }

// Context returns a context in which T and the views speak the language code. It reports false for an
// unknown language; it never guesses.
func (c *Catalog) Context(ctx context.Context, code string) (context.Context, bool) {
	locale, ok := c.locales[code]
	if !ok {
		return ctx, false
	}
	return context.WithValue(locale.WithContext(ctx), plainKey{}, c.plain[code]), true
}

// All returns the text of key in every language.
func (c *Catalog) All(key string) map[string]string {
	texts := map[string]string{}
	for code, locale := range c.locales {
		texts[code] = locale.T(key)
	}
	return texts
}

// Match returns the language that suits an Accept-Language header best, the default when none does.
func (c *Catalog) Match(acceptLanguage string) string {
	wanted, _, err := language.ParseAcceptLanguage(acceptLanguage)
	if err != nil || len(wanted) == 0 {
		return codes[0]
	}
	_, index, confidence := c.matcher.Match(wanted...)
	if confidence == language.No {
		return codes[0]
	}
	return codes[index]
}

// Terminal returns the language of a terminal's locale, such as de_AT.UTF-8; the default for any other.
func (c *Catalog) Terminal(locale string) string {
	if end := strings.IndexAny(locale, ".@"); end >= 0 { // the encoding and the variant
		locale = locale[:end]
	}
	return c.Match(strings.ReplaceAll(locale, "_", "-"))
}

// Args replace the %{placeholders} of a text, by name.
type Args = map[string]any

// T returns the text of key in the context's language, its placeholders replaced by args. Integers are grouped as the
// language groups them; a placeholder inside an argument stays text.
func T(ctx context.Context, key string, args ...Args) string {
	texts, _ := ctx.Value(plainKey{}).(map[string]string)
	text, ok := texts[key]
	if !ok {
		text = i18n.T(ctx, key) // says what is missing
	}
	return fill(ctx, text, args)
}

// N is T for a counted thing: it chooses the text's plural form for n and passes n as %{count}.
func N[Int ~int | ~int64](ctx context.Context, key string, n Int, args ...Args) string {
	return fill(ctx, i18n.N(ctx, key, int(n)), append(args, Args{"count": int64(n)}))
}

// Has reports whether the context's language has a text for key.
func Has(ctx context.Context, key string) bool { return i18n.Has(ctx, key) }

// fill replaces the placeholders of a text, in one pass. One without an argument stays.
func fill(ctx context.Context, text string, args []Args) string {
	if len(args) == 0 {
		return text
	}
	var filled strings.Builder
	for {
		before, rest, opened := strings.Cut(text, "%{")
		name, after, closed := strings.Cut(rest, "}")
		if !opened || !closed {
			return filled.String() + text
		}
		filled.WriteString(before)
		filled.WriteString(argument(ctx, name, args))
		text = after
	}
}

// argument returns what replaces the placeholder name.
func argument(ctx context.Context, name string, args []Args) string {
	for _, named := range args {
		switch v := named[name].(type) {
		case nil:
		case string:
			return v
		case int:
			return Number(ctx, int64(v))
		case int64:
			return Number(ctx, v)
		default:
			return fmt.Sprint(v)
		}
	}
	return "%{" + name + "}"
}

// Code returns the context's language, the default where it has none.
func Code(ctx context.Context) string {
	if locale := i18n.GetLocale(ctx); locale != nil {
		return locale.Code().String()
	}
	return codes[0]
}

// Number writes n with its thousands grouped and, when negative, with a minus sign rather than a hyphen:
// 1,200 or 1.200 or −5.
func Number(ctx context.Context, n int64) string {
	separator := ","
	if Code(ctx) == "de" {
		separator = "."
	}
	digits := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		digits, sign = digits[1:], "\u2212"
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + separator + digits[i:]
	}
	return sign + digits
}

// read parses one language's file into texts and maps of texts.
func read(source fs.FS, code string) (map[string]any, error) {
	name := code + ".yaml"
	raw, err := fs.ReadFile(source, name)
	if err != nil {
		return nil, fmt.Errorf("texts: %w", err)
	}
	var document yaml.Node
	if err := yaml.Unmarshal(raw, &document); err != nil {
		return nil, fmt.Errorf("texts %s: %w", name, err)
	}
	if len(document.Content) != 1 {
		return nil, fmt.Errorf("texts %s: the file is empty", name)
	}
	texts, err := parseMap(document.Content[0], "")
	if err != nil {
		return nil, fmt.Errorf("texts %s: %w", name, err)
	}
	return texts, nil
}

func parseMap(node *yaml.Node, prefix string) (map[string]any, error) {
	if node.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("line %d: %q is no map of texts", node.Line, prefix)
	}
	texts := map[string]any{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		full := strings.TrimPrefix(prefix+"."+key.Value, ".")
		if key.Tag != "!!str" || strings.Contains(key.Value, ".") {
			return nil, fmt.Errorf("line %d: key %q must be a plain word", key.Line, full)
		}
		if _, twice := texts[key.Value]; twice {
			return nil, fmt.Errorf("line %d: key %q occurs twice", key.Line, full)
		}
		text, err := parseValue(value, full)
		if err != nil {
			return nil, err
		}
		texts[key.Value] = text
	}
	return texts, nil
}

func parseValue(node *yaml.Node, key string) (any, error) {
	switch {
	case node.Kind == yaml.MappingNode:
		return parseMap(node, key)
	case node.Kind != yaml.ScalarNode || node.Tag != "!!str":
		return nil, fmt.Errorf("line %d: the value of %q is not a text", node.Line, key)
	case strings.TrimSpace(node.Value) == "":
		return nil, errors.New("the text of " + key + " is empty")
	}
	return node.Value, nil
}
