package admin

import (
	"runtime"
	"runtime/debug"
	"time"

	"systemscale/api/internal/cache"
	"systemscale/api/internal/store"
)

// version is the answer to /version.
type version struct {
	Module   string          `json:"module,omitempty"`
	Version  string          `json:"version,omitempty"`  // (devel) unless installed by version
	Revision string          `json:"revision,omitempty"` // absent if the build did not record it
	Modified bool            `json:"modified,omitempty"` // the source differed from the revision
	Go       string          `json:"go"`
	Data     map[string]data `json:"data"` // by collection
	Cache    *cache.Status   `json:"document_cache,omitempty"`
}

// data is one published collection.
type data struct {
	Run         int64     `json:"run"` // as in X-Data-Version
	Generation  int64     `json:"generation"`
	PublishedAt time.Time `json:"published_at"`
	Age         float64   `json:"age_seconds"`

	// Hold is absent if the runs are not on hold, or if the database does not respond.
	Hold *store.Hold `json:"hold,omitempty"`
}

func versionOf(snapshot *store.Snapshot, holds []store.Hold, documents *cache.Status, now time.Time) version {
	v := version{Go: runtime.Version(), Data: map[string]data{}, Cache: documents}
	if info, ok := debug.ReadBuildInfo(); ok {
		v.Module, v.Version = info.Main.Path, info.Main.Version
		for _, setting := range info.Settings {
			switch setting.Key {
			case "vcs.revision":
				v.Revision = setting.Value
			case "vcs.modified":
				v.Modified = setting.Value == "true"
			}
		}
	}
	for _, collection := range snapshot.Collections() {
		of := data{
			Run:         collection.Run,
			Generation:  collection.Generation,
			PublishedAt: collection.PublishedAt.UTC(),
			Age:         now.Sub(collection.PublishedAt).Seconds(),
		}
		for i := range holds {
			if holds[i].Collection == collection.Collection {
				of.Hold = &holds[i]
			}
		}
		v.Data[collection.Collection] = of
	}
	return v
}
