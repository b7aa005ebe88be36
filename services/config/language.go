package config

// Language returns the terminal's locale, such as de_AT.UTF-8: LC_ALL, else LC_MESSAGES, else LANG, else "".
func Language(vars Variables) string {
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		if value := vars[name]; value != "" {
			return value
		}
	}
	return ""
}
