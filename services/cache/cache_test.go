package cache_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/resume-matcher/credits/services/cache"
)

// counter is a source that counts how often it was read.
type counter struct{ reads int }

func (c *counter) read(context.Context) (int, error) {
	c.reads++
	return c.reads, nil
}

func TestValueIsKeptUntilForgotten(t *testing.T) {
	t.Parallel()
	var source counter
	kept := cache.Value[int]{Life: time.Hour}
	for i, want := range []int{1, 1, 1, 2, 2} {
		if i == 3 {
			kept.Forget()
		}
		if got, err := kept.Get(t.Context(), source.read); err != nil || got != want {
			t.Errorf("get %d = %d, %v; want %d", i, got, err, want)
		}
	}
}

func TestValueWithoutLifeIsReadEachTime(t *testing.T) {
	t.Parallel()
	var source counter
	var kept cache.Value[int]
	for want := 1; want < 4; want++ {
		if got, err := kept.Get(t.Context(), source.read); err != nil || got != want {
			t.Errorf("get = %d, %v; want %d", got, err, want)
		}
	}
}

func TestErrorsAreNotKept(t *testing.T) {
	t.Parallel()
	var source counter
	kept := cache.Value[int]{Life: time.Hour}
	away := errors.New("away")
	if _, err := kept.Get(t.Context(), func(context.Context) (int, error) { return 7, away }); !errors.Is(err, away) {
		t.Errorf("error %v, want %v", err, away)
	}
	if got, err := kept.Get(t.Context(), source.read); err != nil || got != 1 {
		t.Errorf("get = %d, %v; want 1", got, err)
	}
}

// A read may have seen the value before the change.
func TestAReadThatBeganBeforeForgetIsNotKept(t *testing.T) {
	t.Parallel()
	var source counter
	kept := cache.Value[int]{Life: time.Hour}
	old := func(ctx context.Context) (int, error) {
		defer kept.Forget()
		return source.read(ctx)
	}
	if got, err := kept.Get(t.Context(), old); err != nil || got != 1 {
		t.Errorf("get = %d, %v; want 1", got, err)
	}
	if got, err := kept.Get(t.Context(), source.read); err != nil || got != 2 {
		t.Errorf("get after the change = %d, %v; want 2", got, err)
	}
}
