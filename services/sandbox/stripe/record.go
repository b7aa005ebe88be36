package stripe

import (
	"context"
	"errors"
	"reflect"
)

// record stores an object and emits its event: created, or updated with the previous attributes. An update that changes
// nothing emits none.
func (t *txn) record(ctx context.Context, o record) error {
	kind, id := o.ref()
	old, err := t.wire(ctx, kind, id, "")
	var refusal *apiError
	if err != nil && (!errors.As(err, &refusal) || refusal.code != "resource_missing") {
		return err
	}
	if err := t.put(ctx, o); err != nil {
		return err
	}
	if old == nil {
		return t.emit(ctx, kind+".created", o, nil)
	}
	now, err := t.wire(ctx, kind, id, "")
	if err != nil {
		return err
	}
	before := map[string]any{}
	for name, value := range old {
		if !reflect.DeepEqual(value, now[name]) {
			before[name] = value
		}
	}
	if _, stamped := before["updated"]; len(before) == 0 || stamped && len(before) == 1 {
		return nil
	}
	return t.emit(ctx, kind+".updated", o, before)
}
