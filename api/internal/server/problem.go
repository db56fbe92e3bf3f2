package server

import (
	"errors"
	"fmt"
	"html"
	"net/http"
	"runtime/debug"

	"github.com/goccy/go-json"
	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"systemscale/api/internal/store"
)

// problem is the public response to an error. Its text reveals no internals, and repeats nothing from the request except the names in a
// queryError.
type problem struct {
	err    error
	status int
	body   []byte // problem+json (RFC 9457)
	page   []byte // the same as HTML
}

// problems maps errors to public responses. It is the only place that does.
var problems = []problem{
	newProblem(errNoSuchAddress, http.StatusNotFound, "There is nothing at this address."),
	newProblem(store.ErrNotFound, http.StatusNotFound, "There is no document with this id."),
	newProblem(errBadID, http.StatusBadRequest, "id must be an integer without leading zeros."),
	newProblem(errBadPage, http.StatusBadRequest, "page must be a positive integer without leading zeros."),
	newProblem(errBadCount, http.StatusBadRequest, "count must be a positive integer without leading zeros."),
	newProblem(errBadSince, http.StatusBadRequest, "since is required: a version (see X-Data-Version) or 0."),
	newProblem(errBadAfter, http.StatusBadRequest, "after must be the cursor from next in the previous response."),
	newProblem(store.ErrBadCursor, http.StatusBadRequest, "after must be the cursor from next in the previous response."),
	newProblem(store.ErrHistoryTooShort, http.StatusGone, "The change log does not contain all changes since that version. "+
		"Read all documents again, then continue from the version in X-Data-Version."),
	newProblem(errMethod, http.StatusMethodNotAllowed, "This address allows only GET, HEAD and OPTIONS."),
	newProblem(errMalformed, http.StatusBadRequest, "The request is not valid HTTP."),
	newProblem(fiber.ErrRequestTimeout, http.StatusRequestTimeout, "The request took too long to arrive."),
	newProblem(fiber.ErrRequestEntityTooLarge, http.StatusRequestEntityTooLarge, "The request body is too large."),
	newProblem(fiber.ErrRequestHeaderFieldsTooLarge, http.StatusRequestHeaderFieldsTooLarge,
		"The request line and the headers are too long."),
	newProblem(errNothingPublished, http.StatusServiceUnavailable, "Nothing is published yet. Try again in a moment."),
	newProblem(errTooManyConnections, http.StatusServiceUnavailable, "Too many connections are open. Try again in a moment."),
	newProblem(store.ErrOverloaded, http.StatusServiceUnavailable, "Too many requests are waiting. Try again in a moment."),
	newProblem(store.ErrTimeout, http.StatusServiceUnavailable, "The response took too long. Try again in a moment."),
	newProblem(store.ErrUnavailable, http.StatusServiceUnavailable, "The documents are unavailable. Try again in a moment."),
	newProblem(store.ErrUnreadable, http.StatusServiceUnavailable, "The documents are unavailable. Try again later."),
	newProblem(errUnexpected, http.StatusInternalServerError, "An unexpected error occurred."),
}

func newProblem(err error, status int, detail string) problem {
	body, encodingErr := json.Marshal(struct {
		Type   string `json:"type"`
		Title  string `json:"title"`
		Status int    `json:"status"`
		Detail string `json:"detail"`
	}{"about:blank", http.StatusText(status), status, detail})
	if encodingErr != nil {
		panic("BUG: " + encodingErr.Error())
	}
	return problem{err, status, body, problemPage(http.StatusText(status), detail)}
}

// problemPage returns an error page, without scripts or other files.
func problemPage(title, detail string) []byte {
	return fmt.Appendf(nil, `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>%[1]s</title>
<link rel="icon" href="data:,">
<style>
:root { color-scheme: light dark }
body { max-width: 38rem; margin: 12vh auto; padding: 0 1.5rem; font: 1.05rem/1.6 system-ui, sans-serif; overflow-wrap: anywhere }
</style>
</head>
<body>
<main>
<h1>%[1]s</h1>
<p>%[2]s</p>
<p><a href="/">Go to the home page</a></p>
</main>
</body>
</html>
`, html.EscapeString(title), html.EscapeString(detail))
}

// problemPolicy is the Content-Security-Policy of an error page.
const problemPolicy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// problemOf returns the public response to err.
func problemOf(err error) *problem {
	for i := range problems {
		if errors.Is(err, problems[i].err) {
			return &problems[i]
		}
	}
	if query, ok := errors.AsType[*queryError](err); ok {
		answer := newProblem(query, http.StatusBadRequest, query.detail)
		return &answer
	}
	// Fiber reports a request that fasthttp cannot parse, or that is cut off, as a fiber.Error.
	if _, ok := errors.AsType[*fiber.Error](err); ok {
		return problemOf(errMalformed)
	}
	return problemOf(errUnexpected)
}

// stackKey is the local that passes the stack of a panic to handleError, which logs it.
const stackKey = "stack"

func saveStack(c *fiber.Ctx, _ any) { c.Locals(stackKey, debug.Stack()) }

// handleError is Fiber's error handler. It logs unexpected errors, with the path.
func (s *Server) handleError(c *fiber.Ctx, err error) error {
	answer := problemOf(err)
	// Fiber's own errors are those of reading the request.
	if _, ok := errors.AsType[*fiber.Error](err); ok {
		s.metrics.malformed.Inc()
	}
	if errors.Is(answer.err, errUnexpected) {
		attributes := []any{"path", c.Path(), "error", err}
		if id := requestID(c.Request()); id != nil {
			attributes = append(attributes, "request_id", string(id))
		}
		if stack, panicked := c.Locals(stackKey).([]byte); panicked {
			attributes = append(attributes, "stack", string(stack))
		}
		s.logger.Error("request failed", attributes...)
	}
	s.answer(c.Context(), answer)
	return nil
}

// answer answers with a problem: as a page for browsers, and as JSON otherwise.
func (s *Server) answer(ctx *fasthttp.RequestCtx, answer *problem) {
	response := &ctx.Response
	if !wantsPage(ctx.Request.Header.PeekBytes(keyAccept)) {
		answerProblem(response, answer)
		return
	}
	// The gateway must not cache the page in place of the JSON 404.
	response.Header.DelBytes(keyAccelExpires)
	if page := s.pages.notFound(); page != nil && answer.status == http.StatusNotFound {
		answerError(response, answer, page.ContentType, page.Body)
		response.Header.SetCanonical(keyContentSecurityPolicy, []byte(page.Policy))
		return
	}
	answerError(response, answer, typePage, answer.page)
	response.Header.SetCanonical(keyContentSecurityPolicy, []byte(problemPolicy))
}

// answerProblem answers with a problem as JSON.
func answerProblem(response *fasthttp.Response, answer *problem) {
	answerError(response, answer, typeProblem, answer.body)
}

// answerError answers with either form of a problem.
func answerError(response *fasthttp.Response, answer *problem, contentType string, body []byte) {
	response.SetStatusCode(answer.status)
	response.SetBodyRaw(body)
	header := &response.Header
	header.SetContentType(contentType)
	header.SetCanonical(keyCacheControl, noStore)
	header.SetCanonical(keyVary, keyAccept)
	setCORS(header)
	switch answer.status {
	case http.StatusMethodNotAllowed:
		header.SetCanonical(keyAllow, methods)
	case http.StatusServiceUnavailable:
		header.SetCanonical(keyRetryAfter, oneSecond)
	}
}
