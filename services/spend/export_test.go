package spend

import "time"

// SetLockTimeout sets how long a request waits for a user whom another transaction has locked.
func (s *Service) SetLockTimeout(d time.Duration) { s.batcher.lockTimeout = d }
