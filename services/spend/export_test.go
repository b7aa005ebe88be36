package spend

import "time"

// SweepBatch is the number of users whose holds a sweep reads at once.
const SweepBatch = sweepBatch

// SetLockTimeout sets how long a request waits for a user whom another transaction has locked.
func (s *Service) SetLockTimeout(d time.Duration) { s.batcher.lockTimeout = d }
