package auth

import "strings"

// Names of browsers and systems, with what a User-Agent header says of each. The first that fits counts: most browsers
// also call themselves Chrome, and Chrome calls itself Safari.
var (
	browsers = [][2]string{{"Edg", "Edge"}, {"OPR/", "Opera"}, {"SamsungBrowser/", "Samsung Internet"}, {"Firefox/", "Firefox"},
		{"FxiOS/", "Firefox"}, {"CriOS/", "Chrome"}, {"Chrome/", "Chrome"}, {"Safari/", "Safari"}}
	systems = [][2]string{{"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Android", "Android"}, {"Windows", "Windows"}, {"CrOS", "ChromeOS"},
		{"Mac OS X", "macOS"}, {"Linux", "Linux"}}
)

// Device is all that is kept of a User-Agent header: two proper names, the same in every language. "" for neither.
func Device(userAgent string) string {
	var words []string
	for _, known := range [][][2]string{browsers, systems} {
		for _, pair := range known {
			if strings.Contains(userAgent, pair[0]) {
				words = append(words, pair[1])
				break
			}
		}
	}
	return strings.Join(words, ", ")
}
