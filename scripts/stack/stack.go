package main

import (
	"context"
	"errors"
	"path/filepath"
	"slices"

	"systemscale/infra/port"
)

// stack is one run of up or down.
type stack struct {
	location
	console
	*state

	claims  port.Claims                   // ports that are claimed until this run ends
	started []func(context.Context) error // functions that stop the servers that this run started, in order of their start
}

// open reads the state and locks it against other runs of up and down until release is called.
func (l location) open(console console) (opened *stack, release func(), err error) {
	release, err = lock(l.State)
	if err != nil {
		return nil, nil, err
	}
	state, err := readState(l.State)
	if err != nil {
		release()
		return nil, nil, err
	}
	return &stack{location: l, console: console, state: state}, release, nil
}

// undo stops the servers that this run started, in reverse order.
func (s *stack) undo(ctx context.Context) error {
	if len(s.started) == 0 {
		return nil
	}
	s.progressf("stopping the servers that were started")
	var errs []error
	for _, stop := range slices.Backward(s.started) {
		errs = append(errs, stop(ctx))
	}
	return errors.Join(errors.Join(errs...), s.save())
}

// onUndo registers a function that stops a server.
func (s *stack) onUndo(stop func(context.Context) error) {
	s.started = append(s.started, stop)
}

func (s *stack) data() string { return filepath.Join(s.Servers, "postgres", "data") }

func (s *stack) logs() string { return filepath.Join(s.State, "log") }

func (s *stack) binary(name string) string { return filepath.Join(s.State, "bin", name) }
