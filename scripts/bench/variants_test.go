package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"systemscale/scripts/measure/workspace"
)

// TestVariantsRenderAllRows renders a small catalog in every way. No row is rejected, and each item has its documents.
func TestVariantsRenderAllRows(t *testing.T) {
	programs := build(t)
	csv, textCSV := generatedCSV(t, programs), filepath.Join(t.TempDir(), "text-keys")
	if err := writeTextKeys(csv, textCSV); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{
		"product.csv": "id,name,slogan,description,category,default_price\np000000001,\"",
		"related.csv": "id,current_product_id,related_product_id\np000000001,p0000000",
	} {
		if text, err := os.ReadFile(filepath.Join(textCSV, file)); err != nil || !strings.HasPrefix(string(text), want) {
			t.Errorf("%s begins with %.90q (%v), want %q", file, text, err, want)
		}
	}
	all, err := variants(csv, textCSV)
	if err != nil || len(all) != 4 {
		t.Fatalf("%d variants, %v", len(all), err)
	}
	for _, v := range all {
		took, err := v.render(t.Context(), filepath.Join(programs, "etl"), t.TempDir())
		if err != nil {
			t.Errorf("%s: %v", v.name, err)
			continue
		}
		for _, document := range []string{"summary", "product", "styles", "related"} {
			if !strings.Contains(took.Out, document+": 300 documents") {
				t.Errorf("%s: no 300 documents of %s:\n%s", v.name, document, took.Out)
			}
		}
	}
	dirty := variant{shape: all[0].shape, csv: generatedCSV(t, programs, workspace.Spoiled...)}
	if _, err := dirty.render(t.Context(), filepath.Join(programs, "etl"), t.TempDir()); err == nil || !strings.Contains(err.Error(), "rejected rows") {
		t.Errorf("render with rejected rows returns %v", err)
	}
}
