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

// spool is a file that is written whole before any of it is sent: while a reader takes its time, nothing but the file and
// the connection is held. It removes itself when it is closed.
type spool struct {
	file *os.File
	name string // while there is something to remove
	room int64  // bytes that may still be written

	conn  net.Conn
	until time.Time // by which the reader must be done
}

func newSpool(room int64) (*spool, error) {
	file, err := os.CreateTemp("", "credits-export-*")
	if err != nil {
		return nil, fmt.Errorf("make a file to export to: %w", err)
	}
	s := &spool{file: file, room: room}
	if os.Remove(file.Name()) != nil { // an open file lasts; where it cannot be removed yet, Close does it
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

// sendTo turns the file over to its reader, and says how large it is.
func (s *spool) sendTo(conn net.Conn, budget time.Duration) (size int64, err error) {
	if size, err = s.file.Seek(0, io.SeekCurrent); err == nil {
		_, err = s.file.Seek(0, io.SeekStart)
	}
	s.conn, s.until = conn, time.Now().Add(budget)
	return size, err
}

// Read gives the reader writeTimeout for each part, and an end to it all.
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
