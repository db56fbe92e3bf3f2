package publish

// DatabaseError is any error that comes of work with the database: the connection, the server's refusal, or an unexpected answer. All
// functions and methods that use the database return their errors wrapped in it.
type DatabaseError struct{ Err error }

func (e *DatabaseError) Error() string { return e.Err.Error() }

func (e *DatabaseError) Unwrap() error { return e.Err }

// inDatabase wraps the error that a function is about to return.
func inDatabase(err *error) {
	if *err != nil {
		*err = &DatabaseError{*err}
	}
}
