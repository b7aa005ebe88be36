package resumematcher

import (
	"crypto/subtle"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"time"

	"github.com/google/uuid"
)

// What the stand-in and each user can keep. At the bound, all users go, or the user's oldest row.
const (
	maxUsers = 1000
	maxRows  = 200
)

// The add-on's headers.
const (
	userHeader   = "X-Credits-User"
	secretHeader = "X-Credits-Secret"
)

// object is a JSON object.
type object = map[string]any

// household is what one user has, or everybody without the add-on: rows by kind, oldest first.
type household struct{ rows map[string][]object }

// missing is the 404 for each kind.
var missing = map[string]string{
	"resume": "Resume not found", "job": "Job description not found", "application": "Application not found",
}

// find returns the row of a kind with an id, or nil.
func (h *household) find(kind string, id any) object {
	for _, row := range h.rows[kind] {
		if row[kind+"_id"] == id {
			return row
		}
	}
	return nil
}

// add stores a row under a new id. The first resume is the master.
func (h *household) add(kind string, fields object) object {
	row := object{"created_at": now(), "updated_at": now()}
	if kind == "resume" {
		first := len(h.rows[kind]) == 0
		maps.Copy(row, object{"markdown": "# Resume", "content_type": "md", "parent_id": nil, "title": nil, "job_id": nil,
			"cover_letter": nil, "outreach_message": nil, "interview_prep": nil, "is_master": first, "is_default_master": first})
	}
	maps.Copy(row, fields)
	row[kind+"_id"] = uuid.NewString()
	h.rows[kind] = append(h.rows[kind], row)
	if len(h.rows[kind]) > maxRows {
		h.rows[kind] = slices.Delete(h.rows[kind], 0, 1)
	}
	return row
}

func (h *household) remove(kind string, row object) {
	h.rows[kind] = slices.DeleteFunc(h.rows[kind], func(one object) bool { return one[kind+"_id"] == row[kind+"_id"] })
}

func (h *household) hasMaster() bool {
	return slices.ContainsFunc(h.rows["resume"], func(row object) bool { return row["is_master"] == true })
}

func now() string { return time.Now().UTC().Format("2006-01-02T15:04:05.000000+00:00") }

// householdOf returns the user's household, new if need be. The caller has the lock.
func (a *App) householdOf(user string) *household {
	if a.households[user] == nil {
		if len(a.households) >= maxUsers {
			clear(a.households)
		}
		a.households[user] = &household{rows: map[string][]object{}}
	}
	return a.households[user]
}

// validUser matches the ids that the add-on accepts as the name of a folder.
var validUser = regexp.MustCompile(`^[A-Za-z0-9_-]{1,128}$`)

// identify does the add-on's work: it accepts the user of a call, or returns the refusal. Health needs no identity, and
// the add-on's description no user.
func (a *App) identify(c *call) *answer {
	if a.shared {
		return nil
	}
	c.echo = true
	users, secrets := c.r.Header.Values(userHeader), c.r.Header.Values(secretHeader)
	switch {
	case len(users)+len(secrets) == 0 && c.route == healthRoute:
		return nil
	case len(users)+len(secrets) == 0:
		return refuse(http.StatusUnauthorized, "Identity required")
	case len(users) > 1 || len(secrets) != 1,
		subtle.ConstantTimeCompare([]byte(secrets[0]), []byte(a.secret)) != 1,
		len(users) == 1 && !validUser.MatchString(users[0]):
		return refuse(http.StatusForbidden, "Identity refused")
	case len(users) == 1:
		c.user = users[0]
		return nil
	case c.route == healthRoute, c.route == http.MethodGet+" "+apiPrefix+tenantPath:
		return nil
	default:
		return refuse(http.StatusUnauthorized, "Identity required")
	}
}
