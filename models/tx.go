package models

import "gorm.io/gorm"

// Tx is a database transaction. A function that locks rows, or whose writes must commit together with its caller's,
// takes a Tx, so that passing a plain pool does not compile. Only postgres.Transaction makes one.
type Tx struct{ *gorm.DB }
