package dump

import (
	"io"

	"systemscale/etl/internal/regular"
	"systemscale/etl/internal/shape"
	"systemscale/etl/shapes"
)

// ReadShape reads a shape file, or the built-in one for an empty path. The error is a *shape.Error.
func ReadShape(path string) (*shape.Shape, error) {
	spec, _, err := readShape(path)
	return spec, err
}

// readShape is ReadShape with the state of the file, which is the zero value for the built-in one.
func readShape(path string) (*shape.Shape, regular.State, error) {
	if path == "" {
		spec, err := shape.Parse(shapes.ProductsName, shapes.Products)
		return spec, regular.State{}, err
	}
	text, state, err := readWhole(path)
	if err != nil {
		return nil, state, &shape.Error{File: path, Line: 1, Column: 1, Message: "the shape file cannot be read: " + reason(err)}
	}
	spec, err := shape.Parse(path, text)
	return spec, state, err
}

// readWhole reads a file, and checks that it did not change during the reading.
func readWhole(path string) (text []byte, state regular.State, err error) {
	file, err := regular.Open(path)
	if err != nil {
		return nil, state, err
	}
	defer func() { _ = file.Close() }() // only read
	if state, err = regular.StateOf(file); err != nil {
		return nil, state, err
	}
	if text, err = io.ReadAll(io.LimitReader(file, shape.MaxSize+1)); err != nil { // Parse rejects a larger one
		return nil, state, err
	}
	now, err := regular.StateOf(file)
	if err == nil {
		err = changedError(state.Differs(now))
	}
	return text, state, err
}
