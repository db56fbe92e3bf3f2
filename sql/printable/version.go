package printable

import "runtime/debug"

// Version describes the build of the program, for --version.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "devel"
	}
	return version(info.Settings)
}

// version returns the short revision and its time, with "modified" for a build of uncommitted changes, and "devel" for a build without
// version control.
func version(settings []debug.BuildSetting) string {
	vcs := map[string]string{}
	for _, s := range settings {
		vcs[s.Key] = s.Value
	}
	revision := vcs["vcs.revision"]
	if revision == "" {
		return "devel"
	}
	text := revision[:min(len(revision), 12)] + " " + vcs["vcs.time"]
	if vcs["vcs.modified"] == "true" {
		text += " modified"
	}
	return text
}
