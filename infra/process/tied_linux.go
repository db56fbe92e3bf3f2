package process

import (
	"os/exec"
	"runtime"
	"sync"
	"syscall"
)

// tiedStarter runs functions on a thread that never ends: the kernel signals a tied process when the thread that started it ends, not only
// when the whole process does.
var tiedStarter = sync.OnceValue(func() chan<- func() {
	functions := make(chan func())
	go func() {
		runtime.LockOSThread()
		for function := range functions {
			function()
		}
	}()
	return functions
})

// startTied starts a command that gets SIGTERM when this process ends, even if it is killed.
func startTied(command *exec.Cmd) error {
	command.SysProcAttr.Pdeathsig = syscall.SIGTERM
	started := make(chan error)
	tiedStarter() <- func() { started <- command.Start() }
	return <-started
}
