package report

// comparedWith names, for a rung, the one that it is compared with: the same, but for one change. Every other rung is compared with the one before
// it in the list.
var comparedWith = map[string]string{
	"express":             "joins",
	"express-redis":       "express",
	"joins-2-round-robin": "joins",
	"joins-2-least-conn":  "joins-2-round-robin",
	"joins-4-round-robin": "joins-2-round-robin",
	"joins-4-least-conn":  "joins-4-round-robin",
	"joins-2-cache-few":   "joins-2-round-robin",
	"joins-2-cache-many":  "joins-2-cache-few",
	"lookups":             "joins",
	"api":                 "lookups",
	"api-2":               "api",
	"api-4":               "api-2",
	"api-2-cache":         "api-2",
	"api-memory":          "api",
	"api-redis":           "api",
	"api-2-cache-memory":  "api-2-cache",
	"api-2-cache-redis":   "api-2-cache",
}

// setBefore sets Before of all rungs, to rungs that the report has.
func (r *Report) setBefore() {
	for i := range r.Rungs {
		rung := &r.Rungs[i]
		if rung.Before != "" && r.Find(rung.Before) != nil {
			continue
		}
		rung.Before = comparedWith[rung.Name]
		if r.Find(rung.Before) == nil {
			rung.Before = ""
			if i > 0 {
				rung.Before = r.Rungs[i-1].Name
			}
		}
	}
}
