// Package gate stands in front of an unmodified Resume Matcher and charges its AI routes.
package gate

import "gorm.io/gorm"

// Service knows the users of Resume Matcher and their passes.
type Service struct {
	DB *gorm.DB
}
