package resumematcher

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// maxFile is the largest file that an upload accepts, in bytes.
const maxFile = 4 << 20

// columns are the columns of the tracker, in their order.
var columns = []string{"saved", "applied", "no_response", "response", "interview", "accepted", "rejected"}

// guards refuse a request before the model is asked, or find that it need not be asked (free).
var guards = map[string]func(*call) (refusal *answer, free bool){
	"file": readFile,
	"turn": readTurn,
	"card": readCard,
	"previewed": func(c *call) (*answer, bool) {
		if c.rows[1]["preview"] != canonical(c.body["improved_data"]) {
			return refuse(http.StatusBadRequest, "Invalid improved resume data. Please retry preview."), false
		}
		return nil, false
	},
}

func refuse(status int, text string) *answer {
	ans := detail(status, text)
	return &ans
}

// refuseBody is a 422 for a field of the body.
func refuseBody(kind, field, text string) *answer {
	ans := jsonAnswer(http.StatusUnprocessableEntity, object{"detail": invalid(kind, field, text)})
	return &ans
}

// readFile checks an uploaded file.
func readFile(c *call) (*answer, bool) {
	r := c.r.Clone(c.r.Context())
	r.Body = io.NopCloser(bytes.NewReader(c.raw))
	_, header, err := r.FormFile("file")
	if err != nil {
		return refuseBody("missing", "file", "Field required"), false
	}
	c.vars["filename"] = header.Filename
	kind := header.Header.Get("Content-Type")
	allowed := []string{"application/pdf", "application/msword",
		"application/vnd.openxmlformats-officedocument.wordprocessingml.document"}
	switch {
	case !slices.Contains(allowed, kind):
		return refuse(http.StatusBadRequest, fmt.Sprintf("Invalid file type: %s. Allowed: PDF, DOC, DOCX", kind)), false
	case header.Size > maxFile:
		return refuse(http.StatusRequestEntityTooLarge, "File too large. Maximum size: 4MB"), false
	case header.Size == 0:
		return refuse(http.StatusBadRequest, "Empty file"), false
	default:
		return nil, false
	}
}

// introduction is how Resume Matcher finds a name if its model returns none.
var introduction = regexp.MustCompile(`\bI(?:'| a)m ([A-Z][a-z]+)`)

// said is what the user answers in a turn of the wizard.
func said(c *call) string {
	given, _ := c.body["answer"].(object)
	text, _ := given["text"].(string)
	return text
}

// readTurn finds out whether a turn of the wizard asks the model.
func readTurn(c *call) (*answer, bool) {
	action, _ := c.body["action"].(string)
	known := slices.Contains([]string{"start", "answer", "skip", "back", "review"}, action)
	if !known || action == "answer" && said(c) == "" {
		return refuseBody("value_error", "action", "Input should be valid"), false
	}
	return nil, action != "answer" && action != "skip"
}

// readCard completes a new application. With a company and a role the model need not be asked.
func readCard(c *call) (*answer, bool) {
	if text, _ := c.body["job_description"].(string); strings.TrimSpace(text) == "" {
		return refuseBody("string_too_short", "job_description", "String should have at least 1 character"), false
	}
	if status, _ := c.body["status"].(string); !slices.Contains(columns, status) {
		c.vars["status"] = "applied"
	}
	c.vars["job_id"] = c.home.add("job", object{"content": c.body["job_description"]})["job_id"]
	free := true
	for field, found := range map[string]string{"company": "Example Pay", "role": "Backend engineer"} {
		c.vars[field+"_or_found"] = c.vars[field]
		if given, _ := c.vars[field].(string); given == "" {
			c.vars[field], c.vars[field+"_or_found"], free = nil, found, false
		}
	}
	return nil, free
}

// effects are what an operation does beside changing its row.
var effects = map[string]func(*call, reply){
	"list": func(c *call, _ reply) {
		all := []object{}
		for _, row := range slices.Backward(c.home.rows["resume"]) {
			if row["is_master"] == false || c.r.URL.Query().Get("include_master") == "true" {
				all = append(all, pick(row, "resume_id", "filename", "title", "is_master", "is_default_master", "parent_id",
					"processing_status", "created_at", "updated_at"))
			}
		}
		c.vars["resumes"] = all
	},
	"count": func(c *call, _ reply) {
		master := c.vars["has_master"]
		c.vars["state"] = map[any]string{true: "ready", false: "setup_required"}[master]
		c.vars["stats"] = object{"total_resumes": len(c.home.rows["resume"]), "total_jobs": len(c.home.rows["job"]),
			"total_improvements": 0, "has_master_resume": master}
	},
	"preview": func(c *call, result reply) {
		improved := c.app.table.Fixtures["improved"]
		if result == hollow {
			improved = c.vars["processed_resume"]
		}
		c.rows[1]["preview"] = canonical(improved)
	},
	"turn": func(c *call, result reply) {
		state := c.body["state"].(object)
		asked, _ := state["asked_count"].(float64)
		switch c.body["action"] {
		case "start":
			state = object{"step": "question", "asked_count": 0, "is_complete": false, "history": []any{}, "warnings": []any{},
				"inferred_skills": []any{}, "resume_data": object{}, "progress": object{"current": 0, "total": 8},
				"current_question": object{"text": "What is your name?", "section": "intro"}}
		case "answer", "skip":
			state["step"], state["asked_count"] = "question", asked+1
			name := introduction.FindStringSubmatch(said(c))
			switch {
			case result == answered:
				state["resume_data"] = c.app.table.Fixtures["resume"]
			case name != nil:
				state["resume_data"] = object{"personalInfo": object{"name": name[1]}}
			}
		default:
			state["step"] = "review"
		}
		c.vars["state"] = state
	},
	"jobs": func(c *call, _ reply) {
		ids := []any{}
		for _, text := range c.body["job_descriptions"].([]any) {
			ids = append(ids, c.home.add("job", object{"content": text, "resume_id": c.body["resume_id"]})["job_id"])
		}
		c.vars["job_ids"] = ids
	},
	"default": func(c *call, _ reply) {
		for _, row := range c.home.rows["resume"] {
			row["is_default_master"] = row["resume_id"] == c.vars["resume_id"]
		}
	},
	"board": func(c *call, _ reply) {
		board := map[string][]object{}
		for _, column := range columns {
			board[column] = []object{}
		}
		for _, row := range c.home.rows["application"] {
			column, _ := row["status"].(string)
			board[column] = append(board[column], row)
		}
		c.vars["columns"] = board
	},
	"bulk": func(c *call, _ reply) {
		affected := 0
		for _, id := range c.body["application_ids"].([]any) {
			row := c.home.find("application", id)
			if row == nil {
				continue
			}
			affected++
			if row["status"] = c.body["status"]; c.r.Method == http.MethodPost {
				c.home.remove("application", row)
			}
		}
		c.vars["affected"] = affected
	},
	"operations": func(c *call, _ reply) {
		c.vars["operations"], c.vars["frontend"] = c.app.operationNames(), "http://"+c.r.Host
	},
	"forget": func(c *call, _ reply) { delete(c.app.households, c.user) },
}

// canonical returns a JSON text that is equal for equal content: encoding/json sorts the keys of an object.
func canonical(value any) string {
	data, err := json.Marshal(value)
	if err != nil {
		panic(fmt.Sprintf("encode: %v", err)) // what was decoded from JSON can be encoded
	}
	return string(data)
}

// pick returns some fields of a row.
func pick(row object, fields ...string) object {
	picked := object{}
	for _, field := range fields {
		picked[field] = row[field]
	}
	return picked
}
