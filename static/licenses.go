package static

import _ "embed"

//go:embed licenses/htmx.txt
var htmxLicence string

//go:embed licenses/basecoat.txt
var basecoatLicence string

//go:embed licenses/space-grotesk.txt
var spaceGroteskLicence string

//go:embed licenses/modules.txt
var moduleLicences string

// Licences returns the licences of everything that the program contains: the libraries and the font of its pages, then
// the Go modules.
func Licences() string {
	const line = "\n--------------------------------------------------------------------------------\n\n"
	return "htmx\n\n" + htmxLicence + line + "Basecoat\n\n" + basecoatLicence + line +
		"Space Grotesk\n\n" + spaceGroteskLicence + line + moduleLicences
}
