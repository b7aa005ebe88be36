package resumematcher

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/google/uuid"
)

// apiSource explains itself.
//
//go:embed api.yaml
var apiSource []byte

// table is what api.yaml holds.
type table struct {
	Fixtures object
	Routes   []operation
}

// operation is one route of the API; api.yaml explains the fields.
type operation struct {
	Route, Needs, Guard, Asks, New, Deletes, Do string
	Finds                                       []string
	Refuse                                      []struct {
		When   string
		Is     any
		Answer []any
	}
	Sets, Each, Answer outcomes
}

// outcomes holds a value for each reply of the model.
type outcomes struct{ Good, Hollow, Unreadable, Failed any }

func (o outcomes) of(r reply) any {
	switch {
	case r == hollow && o.Hollow != nil:
		return o.Hollow
	case r == unreadable && o.Unreadable != nil:
		return o.Unreadable
	case r >= unreadable && o.Failed != nil:
		return o.Failed
	default:
		return o.Good
	}
}

const (
	apiPrefix   = "/api/v1"
	healthRoute = "GET /api/v1/health"
	tenantPath  = "/credits-tenant"
	// backendOrigin is the internal address that the backend's own redirects name.
	backendOrigin = "http://127.0.0.1:8000"
)

// name is the route with the whole path.
func (o operation) name() string { return strings.Replace(o.Route, " ", " "+apiPrefix, 1) }

// routeAPI finds what serves a request to the backend.
func (a *App) routeAPI(c *call, target string) {
	c.route = c.r.Method + " /api"
	found, other := a.find(c, target)
	switch {
	case found != nil:
		c.route, c.asks, c.serve = found.name(), found.Asks != "", found.run
	case other:
		c.serve = func(*call) answer { return detail(http.StatusMethodNotAllowed, "Method Not Allowed") }
	default:
		bare := strings.TrimSuffix(target, "/")
		_, other := a.find(c, bare)
		c.serve = func(*call) answer {
			if other {
				return answer{status: http.StatusTemporaryRedirect, header: http.Header{"Location": {backendOrigin + bare}}}
			}
			return detail(http.StatusNotFound, "Not Found")
		}
	}
	if refusal := a.identify(c); refusal != nil {
		c.asks, c.serve = false, func(*call) answer { return *refusal }
	}
}

// find returns the operation for a path, and stores the path's parameter. other reports that the path has an operation,
// perhaps with another method.
func (a *App) find(c *call, target string) (found *operation, other bool) {
	for i, o := range a.table.Routes {
		method, template, _ := strings.Cut(o.Route, " ")
		name, value, matches := match(apiPrefix+template, target)
		if !matches || a.shared && template == tenantPath {
			continue
		}
		if other = true; method == c.r.Method {
			c.vars = object{"uuid": uuid.NewString(), name: value}
			if method == http.MethodGet && c.r.URL.Query().Has("resume_id") {
				c.vars["resume_id"] = c.r.URL.Query().Get("resume_id")
			}
			return &a.table.Routes[i], true
		}
	}
	return nil, other
}

// match compares a path with a template, and returns the template's parameter and its value.
func match(template, target string) (name, value string, matches bool) {
	want, got := strings.Split(template, "/"), strings.Split(target, "/")
	if len(want) != len(got) {
		return "", "", false
	}
	for i, part := range want {
		switch {
		case strings.HasPrefix(part, "{") && got[i] != "":
			name, value = strings.Trim(part, "{}"), got[i]
		case part != got[i]:
			return "", "", false
		}
	}
	return name, value, true
}

// run serves the operation. Locks: App.mu, so operations run one at a time.
func (o operation) run(c *call) answer {
	if wrong := c.readBody(o.Needs); wrong != nil {
		return jsonAnswer(http.StatusUnprocessableEntity, object{"detail": wrong})
	}
	c.app.mu.Lock()
	defer c.app.mu.Unlock()
	c.home = c.app.householdOf(c.user)
	c.vars["has_master"], c.vars["busy"] = c.home.hasMaster(), c.app.running[c.user] > 1
	for _, kind := range o.Finds {
		row := c.home.find(kind, c.vars[kind+"_id"])
		if row == nil {
			return detail(http.StatusNotFound, missing[kind])
		}
		c.rows = append(c.rows, row)
		for name, value := range row {
			if _, taken := c.vars[name]; !taken {
				c.vars[name] = value
			}
		}
	}
	times, refusal := o.check(c)
	if refusal != nil {
		return *refusal
	}
	result := c.ask(times)
	status := o.Answer.of(result).([]any)[0].(int)
	if status < http.StatusBadRequest {
		o.change(c, result)
		if effect := effects[o.Do]; effect != nil {
			effect(c, result)
		}
	}
	body := c.fill(o.Answer.of(result).([]any)[1])
	if text, isText := body.(string); isText {
		return answer{status: status, kind: "application/pdf", body: []byte(text)}
	}
	return jsonAnswer(status, body)
}

// check returns how often the model is asked, or what refuses the request.
func (o operation) check(c *call) (times int, refusal *answer) {
	for _, one := range o.Refuse {
		if c.vars[one.When] == one.Is {
			ans := jsonAnswer(one.Answer[0].(int), one.Answer[1])
			return 0, &ans
		}
	}
	if o.Asks != "" {
		times = 1
	}
	if list, isList := c.body[o.Asks].([]any); isList {
		times = len(list)
	}
	if guard := guards[o.Guard]; guard != nil {
		refusal, free := guard(c)
		if free {
			times = 0
		}
		return times, refusal
	}
	return times, nil
}

// change makes, sets and deletes rows.
func (o operation) change(c *call, result reply) {
	if o.Each.Good != nil {
		each := []any{}
		for _, element := range c.body[o.Asks].([]any) {
			scope := &call{vars: maps.Clone(c.vars)}
			if fields, isObject := element.(object); isObject {
				maps.Copy(scope.vars, fields)
			}
			each = append(each, scope.fill(o.Each.of(result)))
		}
		c.vars["each"] = each
	}
	fields, _ := c.fill(o.Sets.of(result)).(object)
	switch {
	case o.New != "":
		maps.Copy(c.vars, c.home.add(o.New, fields))
	case fields != nil:
		maps.Copy(c.rows[0], fields)
		c.rows[0]["updated_at"] = now()
		maps.Copy(c.vars, c.rows[0])
	case o.Deletes != "":
		c.home.remove(o.Deletes, c.rows[0])
	}
}

// ask counts model calls and returns the model's reply. Without a call nothing can fail.
func (c *call) ask(times int) reply {
	if c.seen.Asked += times; times == 0 {
		return answered
	}
	return c.app.model.reply()
}

// detail is an error as FastAPI sends it.
func detail(status int, text string) answer { return jsonAnswer(status, object{"detail": text}) }

func jsonAnswer(status int, body any) answer {
	data, err := json.Marshal(body)
	if err != nil {
		// json.Marshal fails only on what JSON cannot express, such as a channel: a mistake in this stand-in.
		panic(fmt.Sprintf("encode answer: %v", err))
	}
	return answer{status: status, kind: "application/json", body: data, header: http.Header{"Server": {"uvicorn"}}}
}

// operationNames lists the routes, so that an operator can compare them with the gate's table.
func (a *App) operationNames() (names []string) {
	for _, o := range a.table.Routes {
		names = append(names, o.name())
	}
	slices.Sort(names)
	return names
}
