package locales

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// banned are the words that a native would not use here, and what to write. A pattern sees placeholders as %{name}.
var banned = map[string]map[string]string{
	"de": {
		`(?i)\bvon selbst\b`: "automatisch",
		`(?i)\bmuss (sich )?jemand|jemand von uns|jemand (entscheidet|muss|anders)\b`: "muss geprüft werden, wir prüfen",
		`Bewegung`:                     "Buchung",
		`Zahlungsstreit|Streitf[aä]ll`: "Zahlungsanfechtung; für Käufer: Rückbuchung",
		`(Credits?|%\{(credits|moved)\}).*zurückgebucht`: "Credits werden zurückgenommen",
		`Guthaben[^.]* im Minus`:                         "Konto ist im Minus",
		`\bEvents?\b`:                                    "Ereignis",
		`Idempotenz`:                                     "Idempotency-Key",
		`Dienstschlüssel`:                                "API-Schlüssel",
		`\bKennung`:                                      "ID",
		`Kommaliste`:                                     "durch Kommas getrennte Liste",
		`\bVorg[aä]ng`:                                   "Aufgabe, Buchung, Aktion oder Anfrage-ID",
		`\b[jJ]ene[rmns]?\b`:                             "das andere, dieses",
		`etwa %\{`:                                       "die genaue Zahl, ohne etwa",
		`sicheren Seite`:                                 "Sie bezahlen sicher bei Stripe",
		`\b(Verbleibt|Kontostand)\b`:                     "Netto; Guthaben",
		`(?i)\bzurückbuch`:                               "Rückbuchung, zurückgenommen",
		`\b(Diese|jeder|alle|letzte|weitere) Anmeldungen?\b`: "Anmeldemethode",
		`\bFehlbetrag\b`:                                 "es fehlen",
		`E-mail|e-mail|\bEmails?\b`:                      "E-Mail",
		`(^|[\s„(])(du|dich|dir|deine?[mnr]?)\b`:         "Sie",
		`\bNutzer\b`:                                     "Benutzer",
		`\bzur Zeit\b|\bdiesbezüglich\b|\berfolgreich\b`: "zurzeit; weglassen",
	},
	"en": {
		`(?i)\bbook(s|ed|ing|ings)?\b`:   "add, record or process",
		`(?i)\bmovements?\b`:             "transaction",
		`(?i)\bby (itself|themselves)\b`: "automatically",
		`(?i)\ba person (must|decides)|needs? a person|need of a person|one of us\b`: "needs review",
		`(?i)\bg(iv(e|es|ing|en)|ave) (money |it |all |them )?back`:                  "refund",
		`(?i)\bt(ake|akes|aken|aking) back\b`:                                        "deduct",
		`(?i)(^|[^{])\bmend(s|ed|ing)?\b`:                                            "fix",
		`(?i)\bbegun\b`:                                                              "started",
		`(?i)\bunder way\b|\bfor ever\b|\bneed not\b`:                                "in progress; permanently; do not have to",
		`(?i)\bcancell`: "canceled",
		`(?i)\b\w*(ogni|roni|nymi|ori)s(e|ed|es|ing|ation)\b`: "the spelling with z",
		`(?i)\blicences?\b`:                                "license",
		`(?i)\be-mail`:                                     "email",
		`(^|[\s(])[Ii]ds?\b`:                               "ID",
		`(?i)value added tax`:                              "VAT",
		`(?i)\bways? (of|to) sign(ing)?[ -]in\b`:           "sign-in method",
		`(?i)\b(somebody|nobody|everybody|anybody)\b`:      "someone, no one, everyone, anyone",
		`(?i)\bis no (setting|placeholder|publish|Stripe)`: "is not a",
		`(?i)\bfor about %\{`:                              "the exact number",
		`(?i)\bgoes on\b|\bgo on at\b`:                     "continues",
		`(?i)\bhow it stands\b|\blast word\b|\bdealt with\b|\bto the beginning\b`: "overview; last event; resolved; first page",
		`(?i)\bwe do not speak\b|\bcomma list\b`:                                  "is not available; comma-separated list",
		`(?i)\bsuccessful`:                                                        "leave it out",
	},
}

// shared are marks that no language writes so.
var shared = map[string]string{
	`"`:                  "typographic quotes",
	`\pL'\pL|\pL'(\s|$)`: "’",
	`\.\.\.`:             "…",
	` - `:                "–",
	`\s,|\s\.(\s|$)`:     "no space before a comma or full stop",
	`\d \d{3}\b`:         "a thousands separator",
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
		for _, list := range []map[string]string{banned[code], shared} {
			for pattern, instead := range list {
				patterns[regexp.MustCompile(pattern)] = instead
			}
		}
		texts := flat(t, code)
		maps.Copy(texts, standIns(t, code))
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
		"Diese Vorgänge warten.": "de", "Ihre Email": "de",
		"booking your credits": "en", "It runs by itself.": "en", "A person must look": "en", "money was given back": "en",
		"Give money back": "en", "If you do not recognise it": "en", "clock synchronisation": "en", "payment cancelled": "en",
		"the purchase's page": "en", `a "quoted" word`: "en", "wait ...": "en",
	} {
		hit := false
		for _, list := range []map[string]string{banned[code], shared} {
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
