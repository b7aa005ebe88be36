package periodic

import "time"

// SetPace makes a schedule faster.
func (s *Schedule) SetPace(poll, sleep, inUse time.Duration) { s.pace = pace{poll, sleep, inUse} }

// Asleep reports whether the schedule waits for a job that is due, or for a statement.
func (s *Schedule) Asleep() bool { return s.asleep.Load() }
