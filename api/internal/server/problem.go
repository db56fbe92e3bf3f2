package server

import (
	"errors"
	"net/http"

	"github.com/goccy/go-json"
	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"systemscale/api/internal/store"
)

// What can be wrong with a request.
var (
	errNoSuchAddress    = errors.New("no such address")
	errBadID            = errors.New("bad id")
	errBadPage          = errors.New("bad page")
	errBadCount         = errors.New("bad count")
	errBadSince         = errors.New("bad since")
	errBadAfter         = errors.New("bad after")
	errBadChangeCount   = errors.New("bad count of changes")
	errMethod           = errors.New("method not allowed")
	errNothingPublished = errors.New("nothing is published")

	errMalformed  = errors.New("malformed request")
	errCrowded    = errors.New("too many connections")
	errUnexpected = errors.New("unexpected")

	errNoNumber = errors.New("no positive number")
	errNoCursor = errors.New("no cursor")
	errTooLarge = errors.New("number too large")
)

// problem is a public answer to an error (RFC 9457). Its text is fixed: nothing of the request and nothing of the
// inside gets into it.
type problem struct {
	err    error
	status int
	body   []byte // JSON
}

// problems is the one place that says which error a client sees as what.
var problems = []problem{
	newProblem(errNoSuchAddress, http.StatusNotFound, "There is nothing at this address."),
	newProblem(store.ErrNotFound, http.StatusNotFound, "There is no document with this id."),
	newProblem(errBadID, http.StatusBadRequest, "An id is a positive number: digits only, no leading zero."),
	newProblem(errBadPage, http.StatusBadRequest, "page is a number from 1: digits only, no leading zero."),
	newProblem(errBadCount, http.StatusBadRequest, "count is a number from 1 to 100: digits only, no leading zero."),
	newProblem(errBadSince, http.StatusBadRequest, "since is needed: a version, as in X-Data-Version, or 0."),
	newProblem(errBadAfter, http.StatusBadRequest, "after is what the page before gave as the place to go on from."),
	newProblem(store.ErrBadCursor, http.StatusBadRequest, "after is what the page before gave as the place to go on from."),
	newProblem(errBadChangeCount, http.StatusBadRequest, "count is a number from 1 to 1000: digits only, no leading zero."),
	newProblem(store.ErrHistoryTooShort, http.StatusGone, "The change log does not reach back to that version. Read everything anew, then ask from the version in X-Data-Version."),
	newProblem(errMethod, http.StatusMethodNotAllowed, "This address can only be read, with GET or HEAD."),
	newProblem(errMalformed, http.StatusBadRequest, "This is no well-formed HTTP request."),
	newProblem(fiber.ErrRequestTimeout, http.StatusRequestTimeout, "The request took too long to arrive."),
	newProblem(fiber.ErrRequestEntityTooLarge, http.StatusRequestEntityTooLarge, "No request here needs so large a body."),
	newProblem(fiber.ErrRequestHeaderFieldsTooLarge, http.StatusRequestHeaderFieldsTooLarge, "The request's line and headers are too long."),
	newProblem(errNothingPublished, http.StatusServiceUnavailable, "Nothing is published yet. Try again in a moment."),
	newProblem(errCrowded, http.StatusServiceUnavailable, "Too many connections are open. Try again in a moment."),
	newProblem(store.ErrOverloaded, http.StatusServiceUnavailable, "Too many requests are waiting. Try again in a moment."),
	newProblem(store.ErrTimeout, http.StatusServiceUnavailable, "The answer took too long. Try again in a moment."),
	newProblem(store.ErrUnavailable, http.StatusServiceUnavailable, "The documents cannot be reached. Try again in a moment."),
	newProblem(store.ErrUnreadable, http.StatusServiceUnavailable, "The documents cannot be read at the moment. Try again later."),
	newProblem(errUnexpected, http.StatusInternalServerError, "Something went wrong on our side."),
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
	return problem{err, status, body}
}

// problemOf returns the public answer to err.
func problemOf(err error) *problem {
	for i := range problems {
		if errors.Is(err, problems[i].err) {
			return &problems[i]
		}
	}
	// Fiber makes such errors of what fasthttp cannot parse, or of a client that hangs up in the middle of it.
	var parsing *fiber.Error
	if errors.As(err, &parsing) {
		return problemOf(errMalformed)
	}
	return problemOf(errUnexpected)
}

// handleError is Fiber's error handler. It logs what the table does not know, once, with the path.
func (s *Server) handleError(c *fiber.Ctx, err error) error {
	answer := problemOf(err)
	// All that Fiber itself finds wrong is on the way in.
	if _, unreadable := err.(*fiber.Error); unreadable {
		s.metrics.malformed.Inc()
	}
	if answer.err == errUnexpected {
		attributes := []any{"path", c.Path(), "error", err}
		if id := requestID(c.Request()); id != nil {
			attributes = append(attributes, "request_id", string(id))
		}
		if stack, panicked := c.Locals(stackKey).([]byte); panicked {
			attributes = append(attributes, "stack", string(stack))
		}
		s.logger.Error("request failed", attributes...)
	}
	answerProblem(&c.Context().Response, answer)
	return nil
}

func answerProblem(response *fasthttp.Response, answer *problem) {
	response.SetStatusCode(answer.status)
	response.SetBodyRaw(answer.body)
	header := &response.Header
	header.SetContentTypeBytes(typeProblem)
	header.SetCanonical(keyCacheControl, noStore)
	admit(header)
	switch answer.status {
	case http.StatusMethodNotAllowed:
		header.SetCanonical(keyAllow, methods)
	case http.StatusServiceUnavailable:
		header.SetCanonical(keyRetryAfter, oneSecond)
	}
}
