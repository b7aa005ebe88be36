package locales

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// banned are the words and marks that a native would not use here, by language, and what to write.
var banned = readBanned()

func readBanned() map[string]map[string]string {
	var lists map[string]map[string]string
	source, err := os.ReadFile("testdata/banned.yaml")
	if err == nil {
		err = yaml.Unmarshal(source, &lists)
	}
	if err != nil || len(lists["de"]) == 0 || len(lists["en"]) == 0 || len(lists["shared"]) == 0 {
		panic(fmt.Sprint("testdata/banned.yaml: ", err))
	}
	return lists
}

// closedUp are numbers with their units, which a line break may not part.
var closedUp = map[string]*regexp.Regexp{
	"de": regexp.MustCompile(`(\d|%\{(count|minutes|width)\}) (Credit|Uhr|€|%($|[^{])|Zeichen|Byte|` +
		`Pixel|Sekunde|Minute|Stunde|Tag|Woche|Monat|Jahr|Anmeldemethode|Endpunkt|Ereignis|Buchung|Aufruf|Zahlung|Aufgabe)|§ \d|Art\. \d|Abs\. \d`),
	"en": regexp.MustCompile(`(\d|%\{(count|minutes|width)\}) (credit|€|%($|[^{])|character|byte|` +
		`pixel|second|minute|hour|day|week|month|year|sign-in|endpoint|event|transaction|call|payment|task)|§ \d`),
}

// verbatim are the keys whose wording is the law's or the buyer's declaration.
var verbatim = []string{"consent.early_start", "consent.compensation"}

// Texts are written as natives write them: without the words and marks that have crept in through translation.
func TestTextsAreWrittenByNatives(t *testing.T) {
	t.Parallel()
	for _, code := range codes {
		patterns := map[*regexp.Regexp]string{}
		for _, list := range []map[string]string{banned[code], banned["shared"]} {
			for pattern, instead := range list {
				patterns[regexp.MustCompile(pattern)] = instead
			}
		}
		texts := flat(t, code)
		maps.Copy(texts, standIns(t, code))
		texts["the accessibility statement"] = accessibility(t, code)
		for key, text := range texts {
			if slices.Contains(verbatim, key) {
				continue
			}
			for pattern, instead := range patterns {
				if found := pattern.FindString(text); found != "" {
					t.Errorf("%s: %s has %q, write: %s\n\t%s", code, key, found, instead, text)
				}
			}
			// a terminal breaks lines at its width, wherever the words end
			if found := closedUp[code].FindString(text); found != "" && !onTerminal(key) {
				t.Errorf(`%s: %s has %q, write it with a protected space (\_)`, code, key, found)
			}
			if strings.Count(text, opening[code]) != strings.Count(text, closing[code]) {
				t.Errorf("%s: %s opens and closes another number of quotes: %s", code, key, text)
			}
		}
	}
}

// standIns returns the texts of the sandbox's stand-ins by file and key.
func standIns(t *testing.T, code string) map[string]string {
	t.Helper()
	files, err := filepath.Glob("../services/sandbox/*/texts.yaml")
	deeper, _ := filepath.Glob("../services/sandbox/*/pages/texts.yaml")
	if files = append(files, deeper...); err != nil || len(files) < 4 {
		t.Fatalf("the stand-ins have %d files of texts, want 4 at least: %v", len(files), err)
	}
	all := map[string]string{}
	for _, name := range files {
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var texts map[string]map[string]string
		if err := yaml.Unmarshal(source, &texts); err != nil || len(texts[code]) == 0 {
			t.Fatalf("%s has %d texts in %s: %v", name, len(texts[code]), code, err)
		}
		for key, text := range texts[code] {
			all[name+": "+key] = text
		}
	}
	return all
}

var inserted = regexp.MustCompile(`\{\{.*?\}\}`)

// accessibility returns the one legal text whose wording is ours.
func accessibility(t *testing.T, code string) string {
	t.Helper()
	text, err := os.ReadFile("../services/legal/texts/accessibility." + code + ".md")
	if err != nil {
		t.Fatal(err)
	}
	return inserted.ReplaceAllString(string(text), "…")
}

// Quotes of each language. The German closing quote is the English opening one.
var (
	opening = map[string]string{"de": "„", "en": "“"}
	closing = map[string]string{"de": "“", "en": "”"}
)

func onTerminal(key string) bool {
	return strings.HasPrefix(key, "command.") || strings.HasPrefix(key, "doctor.")
}

// The patterns find what they are for.
func TestBannedWordsAreFound(t *testing.T) {
	t.Parallel()
	for text, code := range map[string]string{
		"Das geschieht von selbst.": "de", "Das muss sich jemand ansehen.": "de", "Ihr Guthaben ist im Minus": "de",
		"Reicht für etwa %{count} Analysen": "de", "Dafür wurden 5 Credits zurückgebucht.": "de",
		"Diese Vorgänge warten.": "de", "Ihre Email": "de", "Der Stellvertreter antwortet.": "de",
		"in der Testumgebung":                "de",
		"Diese Zahlungsseite ist abgelaufen": "de", "Ein Admin erstellt den Schlüssel": "de",
		"Das dauert meist 5\u00a0bis 10\u00a0Tage.": "de", "It usually takes 5 to 10\u00a0days.": "en",
		"have it analysed": "en", "contrast colours": "en", "the methods of payment": "en", "in Stripe’s Dashboard": "en",
		"booking your credits": "en", "It runs by itself.": "en", "A person must look": "en", "money was given back": "en",
		"Give money back": "en", "If you do not recognise it": "en", "clock synchronisation": "en", "payment cancelled": "en",
		"the purchase's page": "en", `a "quoted" word`: "en", "wait ...": "en",
	} {
		hit := false
		for _, list := range []map[string]string{banned[code], banned["shared"]} {
			for pattern := range list {
				hit = hit || regexp.MustCompile(pattern).MatchString(text)
			}
		}
		if !hit {
			t.Errorf("no pattern of %s finds %q", code, text)
		}
	}
	for text, code := range map[string]string{"in 30 Tagen": "de", "§ 19 UStG": "de", "%{count} credits": "en"} {
		if !closedUp[code].MatchString(text) {
			t.Errorf("%q may be parted at a line's end", text)
		}
	}
}
