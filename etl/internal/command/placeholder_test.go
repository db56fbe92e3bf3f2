package command

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"systemscale/etl/shapes"
)

// bareProduct writes a catalog of one product without children.
func bareProduct(t *testing.T) (directory string) {
	t.Helper()
	directory = t.TempDir()
	for name, text := range map[string]string{
		"product.csv":  "id,name,slogan,description,category,default_price\n1,\"a\",\"b\",\"c\",\"d\",5\n",
		"features.csv": "id,product_id,feature,value\n", "styles.csv": "id,productId,name,sale_price,original_price,default_style\n",
		"photos.csv": "id,styleId,url,thumbnail_url\n", "skus.csv": "id,styleId,size,quantity\n", "related.csv": "id,current_product_id,related_product_id\n",
	} {
		if err := os.WriteFile(filepath.Join(directory, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return directory
}

// TestPlaceholderStyle uses the example in a comment of the built-in shape.
func TestPlaceholderStyle(t *testing.T) {
	directory := bareProduct(t)
	var lines, placeholder []string
	for line := range strings.Lines(string(shapes.Products)) {
		bare := strings.TrimSpace(line)
		if strings.HasPrefix(bare, "#   empty:") || len(placeholder) > 0 && strings.HasPrefix(bare, "#     ") {
			placeholder = append(placeholder, "        "+strings.TrimPrefix(bare, "#   ")+"\n")
		}
		if bare == "each: styles" {
			lines = append(lines, placeholder...)
		}
		lines = append(lines, line)
	}
	if len(placeholder) == 0 {
		t.Fatal("the shape file shows no placeholder")
	}
	path := filepath.Join(directory, "shape.yaml")
	if err := os.WriteFile(path, []byte(strings.Join(lines, "")), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		args []string
		want string
	}{
		{"as it is", nil, `"results":[]`},
		{"with the placeholder", []string{"--shape", path}, `"results":[{"style_id":null,"name":null,"original_price":null,"sale_price":null,"default?":true,` +
			`"photos":[{"thumbnail_url":null,"url":null}],"skus":{"null":{"quantity":null,"size":null}}}]`},
	} {
		code, stdout, stderr := etl(t.Context(), append([]string{"explain", "products", "1", "--csv", directory}, test.args...)...)
		if text := strings.Join(strings.Fields(stdout), ""); code != exitOK || !strings.Contains(text, test.want) {
			t.Errorf("%s: exit code %d, no %s in\n%s%s", test.name, code, test.want, stdout, stderr)
		}
	}
}

func TestSingular(t *testing.T) {
	code, stdout, stderr := etl(t.Context(), "render", "--csv", bareProduct(t))
	if code != exitOK || !strings.Contains(stdout, "summary: 1 document, ") || !strings.Contains(stdout, "0 rows rejected") {
		t.Errorf("exit code %d, %s%s", code, stdout, stderr)
	}
}
