package main

import (
	"os"
	"runtime/debug"
)

// heapGrowth is by how many percent the heap grows before garbage is collected. Less than Go's default of 100 takes
// less memory and more processor time. GOGC overrides it.
const heapGrowth = 75

// limitHeap sets heapGrowth.
func limitHeap() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(heapGrowth)
	}
}
