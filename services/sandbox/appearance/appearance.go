// Package appearance holds what the pages of all stand-ins share: how they and their texts are read, a stylesheet with
// the product's type and colors, and the font of its labels.
package appearance

import (
	"embed"
	"net/http"
)

//go:embed page.css space-grotesk.woff2
var files embed.FS

// Font is the font of labels and buttons, a WOFF2 file.
//
//go:embed space-grotesk.woff2
var Font []byte

// filesPath is where the files are served: a page links /appearance/page.css.
const filesPath = "/appearance/"

// Register serves the stylesheet and the font.
func Register(mux *http.ServeMux) {
	serve := http.StripPrefix(filesPath, http.FileServerFS(files))
	for _, name := range []string{"page.css", "space-grotesk.woff2"} { // a prefix would conflict with /{id}/html
		mux.Handle("GET "+filesPath+name, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Cache-Control", "max-age=300")
			serve.ServeHTTP(w, r)
		}))
	}
}
