// Package chart draws lines and bars as SVG, once for light and once for dark pages.
//
// A chart is 800 pixels wide, the width of a README, and no text is smaller than 12 pixels. Colors differ for people who are
// color-blind, and are never alone: lines have markers and names, bars have hatches and numbers. Texts are escaped. The same
// chart is always the same bytes, so that pictures in a repository change only with their numbers.
package chart

import (
	"fmt"
	"html"
	"os"
	"path"
	"path/filepath"
)

// Chart is a description that can be drawn: Lines or Bars.
type Chart interface {
	// SVG returns the chart as an SVG document. It fails if the description has no series, more series than there are styles, or
	// a number that has no place on the axis.
	SVG(Theme) ([]byte, error)
}

// Write writes the chart to directory, as name-light.svg and name-dark.svg.
func Write(directory, name string, chart Chart) error {
	for _, theme := range []Theme{Light, Dark} {
		svg, err := chart.SVG(theme)
		if err != nil {
			return fmt.Errorf("draw %s: %w", name, err)
		}
		if err := os.WriteFile(filepath.Join(directory, file(name, theme)), svg, 0o644); err != nil {
			return fmt.Errorf("write a chart: %w", err)
		}
	}
	return nil
}

// Picture returns the HTML that shows a chart of Write in a Markdown page, the dark one to readers of dark pages. The directory
// is relative to the page, with slashes. The description is for people who do not see the picture.
func Picture(directory, name, description string) string {
	return fmt.Sprintf(`<picture>
  <source media="(prefers-color-scheme: dark)" srcset="%s">
  <img alt="%s" src="%s" width="%d">
</picture>
`, html.EscapeString(path.Join(directory, file(name, Dark))), html.EscapeString(description),
		html.EscapeString(path.Join(directory, file(name, Light))), int(width))
}

func file(name string, theme Theme) string {
	return name + "-" + theme.String() + ".svg"
}
