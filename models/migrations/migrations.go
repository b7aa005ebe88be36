// Package migrations holds the schema's migrations, in the order of their numbers.
package migrations

import "embed"

// Files are the migrations, one file each.
//
//go:embed *.sql
var Files embed.FS

// Catalogue lists what the migrations make, in the lines of postgres.Catalogue.
//
//go:embed catalogue.txt
var Catalogue string
