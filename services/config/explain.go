package config

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"
)

// ExplainDir adds advice to an error of the data directory. It returns other errors unchanged.
func (c Config) ExplainDir(err error) error {
	dir, absErr := filepath.Abs(c.DataDir)
	if absErr != nil {
		dir = c.DataDir
	}
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("%w; free 200 MB for %s, or set DATA_DIR to a directory on another disk", err, dir)
	case errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%w; set DATA_DIR to a directory that you can write to", err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w; run as the owner of %s, or set DATA_DIR to a directory that you can write to", err, dir)
	}
	return err
}

// ExplainPort turns an error of listening on PORT into a reason and advice.
func (c Config) ExplainPort(err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("port %d is in use: stop the program that uses it, or set PORT to another port", c.Port)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("only root may use port %d: set PORT to 1024 or above", c.Port)
	}
	return fmt.Errorf("port %d cannot be used; set PORT to another port: %w", c.Port, err)
}
