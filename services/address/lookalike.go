package address

import (
	"slices"
	"strings"
	"unicode"
)

// LooksLikeAnother reports whether a reader could mistake an address for another: a part of it mixes scripts, or
// consists of letters of another script that look like ASCII (аррӏе in Cyrillic), or has a Latin letter that reads as
// an ASCII one. Umlauts and names in other scripts do not.
// Source: UTS 39 (mixed scripts, whole-script confusables), reduced to what an e-mail address can contain.
func LooksLikeAnother(email string) bool {
	return slices.ContainsFunc(strings.FieldsFunc(email, func(r rune) bool { return r == '@' || r == '.' }), confusable)
}

// twins are the lower-case Cyrillic, Greek and Armenian letters that most fonts draw like a Latin one.
const twins = "аеорсухіјѕһԁԛԝӏьгк" + "αονρτυιϲϳκωγχ" + "օոսհցզ"

// latinTwins are the Latin letters and digits beyond ASCII that read as ASCII ones.
const latinTwins = "ıſɡɩʟ" + "ａｂｃｄｅｆｇｈｉｊｋｌｍｎｏｐｑｒｓｔｕｖｗｘｙｚ０１２３４５６７８９"

// eastAsian are the scripts that East Asian names mix, also with Latin words.
var eastAsian = []string{"Latin", "Han", "Hiragana", "Katakana", "Hangul", "Bopomofo"}

// confusable reports whether one part of an address could be mistaken for another.
func confusable(part string) bool {
	if strings.ContainsAny(part, latinTwins) {
		return true
	}
	var scripts []string
	onlyTwins := true
	for _, r := range part {
		script := scriptOf(r)
		if script == "" {
			continue
		}
		onlyTwins = onlyTwins && strings.ContainsRune(twins, r)
		if !slices.Contains(scripts, script) {
			scripts = append(scripts, script)
		}
	}
	foreign := func(script string) bool { return !slices.Contains(eastAsian, script) }
	return len(scripts) > 1 && slices.ContainsFunc(scripts, foreign) || len(scripts) > 0 && onlyTwins
}

// scriptOf returns the script of a letter, "" for digits and signs, which belong to all scripts.
func scriptOf(r rune) string {
	for name, table := range unicode.Scripts {
		if name != "Common" && name != "Inherited" && unicode.Is(table, r) {
			return name
		}
	}
	return ""
}
