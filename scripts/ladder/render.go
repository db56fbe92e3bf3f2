package main

import (
	"os"
	"path/filepath"

	"systemscale/scripts/ladder/report"
	"systemscale/scripts/page"
)

type reportCommand struct {
	File string `arg:"" placeholder:"FILE" help:"The ladder.json of the climb."`
	Out  string `placeholder:"DIR" help:"Directory for the tables and charts. Default: that of the file."`
	Docs string `placeholder:"DIR" help:"${docs}"`
}

// Run writes the report of an earlier climb again, or the parts of the documentation that show it.
func (c *reportCommand) Run() error {
	r, err := report.Read(c.File)
	if err != nil {
		return err
	}
	if c.Docs != "" {
		return document(r, c.Docs)
	}
	if c.Out == "" {
		c.Out = filepath.Dir(c.File)
	}
	return write(r, c.Out)
}

// write writes ladder.json, ladder.md and the charts into a directory.
func write(r *report.Report, directory string) error {
	if err := os.MkdirAll(directory, 0o755); err != nil {
		return err
	}
	r.Summarize()
	if err := r.Write(filepath.Join(directory, "ladder.json")); err != nil {
		return err
	}
	if err := r.WriteCharts(directory); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(directory, "ladder.md"), []byte(r.Markdown(r.Pictures(""))), 0o644)
}

const (
	docsPath     = "infra/docs"
	picturesPath = "pictures" // in docsPath
)

// document writes the charts and the generated parts of ladder.md and README.md. root is the top directory of the repository.
func document(r *report.Report, root string) error {
	r.Summarize()
	docs := filepath.Join(root, filepath.FromSlash(docsPath))
	if err := r.WriteCharts(filepath.Join(docs, picturesPath)); err != nil {
		return err
	}
	if err := page.FillFile(filepath.Join(docs, "ladder.md"), r.Parts(r.Pictures(picturesPath))); err != nil {
		return err
	}
	overview := r.Parts(r.Pictures(docsPath + "/" + picturesPath))[report.PartOverview]
	return page.FillFile(filepath.Join(root, "README.md"), map[string]string{"ladder": overview})
}
