package handlers

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/resume-matcher/credits/services/fault"
)

// spool is a temporary file that is written completely before any of it is sent, so that a slow reader occupies the
// file and the connection only. Close removes it.
type spool struct {
	file *os.File
	name string // to remove on Close; empty once unlinked
	room int64  // bytes left

	conn  net.Conn
	until time.Time // end of the download
}

func newSpool(room int64) (*spool, error) {
	file, err := os.CreateTemp("", "credits-export-*")
	if err != nil {
		return nil, fmt.Errorf("make a file to export to: %w", err)
	}
	s := &spool{file: file, room: room}
	if os.Remove(file.Name()) != nil { // Windows cannot remove an open file
		s.name = file.Name()
	}
	return s, nil
}

// Write appends to the file.
// Errors: fault.Invalid with fault.ExportTooLarge.
func (s *spool) Write(p []byte) (int, error) {
	if s.room -= int64(len(p)); s.room < 0 {
		return 0, fault.Because(fault.Invalid, fault.ExportTooLarge)
	}
	return s.file.Write(p)
}

// sendTo prepares the file for reading and returns its size.
func (s *spool) sendTo(conn net.Conn, budget time.Duration) (size int64, err error) {
	if size, err = s.file.Seek(0, io.SeekCurrent); err == nil {
		_, err = s.file.Seek(0, io.SeekStart)
	}
	s.conn, s.until = conn, time.Now().Add(budget)
	return size, err
}

// Read extends the write deadline by writeTimeout per part, up to the end of the download.
func (s *spool) Read(p []byte) (int, error) {
	deadline := time.Now().Add(writeTimeout)
	if deadline.After(s.until) {
		deadline = s.until
	}
	if err := s.conn.SetWriteDeadline(deadline); err != nil {
		return 0, err
	}
	return s.file.Read(p)
}

// Close removes the file.
func (s *spool) Close() error {
	err := s.file.Close()
	if s.name != "" {
		err = errors.Join(err, os.Remove(s.name))
	}
	return err
}
