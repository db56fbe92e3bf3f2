//go:build !linux

package process

import "os/exec"

// startTied starts a command. Other systems cannot tie it to this process.
func startTied(command *exec.Cmd) error { return command.Start() }
