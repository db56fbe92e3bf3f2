package printable

import (
	"runtime/debug"
	"testing"
)

func TestVersion(t *testing.T) {
	const revision, moment = "27d8487f00ba4711a3b0c5d2e1f00998877665544", "2026-11-27T13:49:24Z"
	for want, settings := range map[string][]debug.BuildSetting{
		"devel":                                {{Key: "-race", Value: "true"}},
		"27d8487f00ba " + moment:               {{Key: "vcs.revision", Value: revision}, {Key: "vcs.time", Value: moment}, {Key: "vcs.modified", Value: "false"}},
		"27d8487f00ba " + moment + " modified": {{Key: "vcs.revision", Value: revision}, {Key: "vcs.time", Value: moment}, {Key: "vcs.modified", Value: "true"}},
	} {
		if got := version(settings); got != want {
			t.Errorf("version(%v) = %q, want %q", settings, got, want)
		}
	}
}
