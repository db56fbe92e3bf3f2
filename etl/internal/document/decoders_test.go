package document

import (
	"bytes"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/goccy/go-json"

	"systemscale/etl/internal/join"
	"systemscale/etl/internal/shape"
	"systemscale/etl/internal/source"
)

// things is a shape with columns of every type, nullable and not, and bodies of every kind.
const things = `
collection: things
sources:
  thing: {file: thing.csv, key: id, columns: {id: int, name: text, title: text?, cost: money, price: money?, used: flag, sold: flag?, count: int, pages: int?}}
  part:  {file: part.csv, key: id, parent: thing, on: thing, columns: {id: int, thing: int, name: text, note: text?}}
  line:  {file: line.csv, key: id, parent: part, on: part, columns: {id: int, part: int, words: text}}
dialect: {null: "null"}
documents:
  whole:
    path: ""
    body:
      id: id
      name: name
      title: title
      money: {cost: cost, price: price}
      flags: {used: used, sold: sold}
      "a field with a name that is longer than a short piece, and \"quotes\" in it": count
      pages: pages
      texts: {id: {text: id}, count: {text: count}, pages: {text: pages}}
      name again: name
      parts: {each: part, keyed: id, as: {name: name, lines: {each: line, as: words, empty: [null]}, note: note}}
  lines: {path: lines, body: {each: part, as: {each: line, as: {object: {id: id, each: words}}}}}
  title: {path: title, body: title}
  count: {path: count, body: {text: count}}
  name: {list: true, body: name}
`

// choices derives choices from bytes. After the last byte all choices are 0.
type choices struct {
	left    []byte
	longest int // approximate size of the longest text, in bytes
}

func (c *choices) next() int {
	if len(c.left) == 0 {
		return 0
	}
	b := c.left[0]
	c.left = c.left[1:]
	return int(b)
}

// exotic are pieces of text that decoders and encoders often handle wrongly.
var exotic = []string{
	`"`, `\`, "\t", "\r", "\x01", "\x1f", "\b\f", "\x7f", "\u0080", "é", "\u2028", "\u2029", "\ufffd", "\ufeff", "\ue000", "\U0010ffff", "🙂", "日本", "e\u0301",
	`\u0041`, `\"`, "<&>", "null", ",", "'", "/", " ", "12345678", "                        ",
}

// text returns a text that a CSV file can contain: of arbitrary bytes, of exotic pieces, or of one repeated piece.
func (c *choices) text() string {
	size := c.next()
	switch size % 4 {
	case 0:
		raw := c.left[:min(len(c.left), size/4)]
		c.left = c.left[len(raw):]
		return strings.NewReplacer("\x00", "", "\n", "").Replace(strings.ToValidUTF8(string(raw), "\ufffd"))
	case 1:
		var text strings.Builder
		for range size / 32 {
			text.WriteString(exotic[c.next()%len(exotic)])
		}
		return text.String()
	case 2:
		return strings.Repeat("x", size/4) + exotic[c.next()%len(exotic)]
	}
	piece, times := exotic[c.next()%len(exotic)], size
	if size == 255 {
		times = c.longest / len(piece)
	}
	return strings.Repeat(piece, times) + "end"
}

func (c *choices) int() int64 {
	size := c.next()
	n := int64(size)
	for range size % 8 {
		n = n<<8 | int64(c.next())
	}
	return n - 100
}

// record collects the fields of a CSV row, and returns the expected value of each field in a document.
type record struct {
	*choices
	line strings.Builder
}

func (r *record) write(field string) {
	if r.line.Len() > 0 {
		r.line.WriteByte(',')
	}
	r.line.WriteString(field)
}

func (r *record) null(nullable bool) bool {
	if !nullable || r.next()%4 != 0 {
		return false
	}
	r.write("null")
	return true
}

func (r *record) int(nullable bool) any {
	if r.null(nullable) {
		return nil
	}
	text := strconv.FormatInt(r.choices.int(), 10)
	r.quote(text)
	return stdjson.Number(text)
}

func (r *record) money(nullable bool) any {
	if r.null(nullable) {
		return nil
	}
	n := r.choices.int() % 1_000_000_000_000
	sign, text := "", ""
	if n < 0 {
		sign, n = "-", -n
	}
	canonical := fmt.Sprintf("%s%d.%02d", sign, n/100, n%100)
	switch text = canonical; {
	case n%100 == 0:
		text = strings.TrimSuffix(text, ".00")
	case n%10 == 0:
		text = strings.TrimSuffix(text, "0")
	}
	r.quote(text)
	return canonical
}

func (r *record) flag(nullable bool) any {
	if r.null(nullable) {
		return nil
	}
	which := r.next() % 4
	r.write([]string{"0", "1", "false", "true"}[which])
	return which%2 == 1
}

func (r *record) text(nullable bool) any {
	if r.null(nullable) {
		return nil
	}
	text := r.choices.text()
	if text == "null" || strings.ContainsAny(text, "\",\r\ufeff") {
		r.write(`"` + strings.ReplaceAll(text, `"`, `""`) + `"`)
	} else {
		r.quote(text)
	}
	return text
}

// quote writes a field with or without quotes.
func (r *record) quote(text string) {
	if r.next()%2 == 0 {
		text = `"` + text + `"`
	}
	r.write(text)
}

func asText(number any) any {
	if number == nil {
		return nil
	}
	return string(number.(stdjson.Number))
}

// thing writes one thing with its parts and lines to the files and returns its expected documents.
func (c *choices) thing(id int64, files map[string]*strings.Builder) map[string]any {
	r := &record{choices: c}
	number := strconv.FormatInt(id, 10)
	r.write(number)
	name, title := r.text(false), r.text(true)
	cost, price := r.money(false), r.money(true)
	used, sold := r.flag(false), r.flag(true)
	count, pages := r.int(false), r.int(true)
	files["thing.csv"].WriteString(r.line.String() + "\n")
	parts, allLines := map[string]any{}, []any{}
	for p := range int64(c.next() % 4) {
		part := id*10 + (p+2)%4 // not in ascending order
		pr := &record{choices: c}
		pr.write(strconv.FormatInt(part, 10))
		pr.write(number)
		partName, note := pr.text(false), pr.text(true)
		files["part.csv"].WriteString(pr.line.String() + "\n")
		words, objects := []any{}, []any{}
		for l := range int64(c.next() % 3) {
			lr := &record{choices: c}
			line := strconv.FormatInt(part*10+l, 10)
			lr.write(line)
			lr.write(strconv.FormatInt(part, 10))
			word := lr.text(false)
			files["line.csv"].WriteString(lr.line.String() + "\n")
			words = append(words, word)
			objects = append(objects, map[string]any{"id": stdjson.Number(line), "each": word})
		}
		allLines = append(allLines, objects)
		if len(words) == 0 {
			words = []any{nil}
		}
		parts[strconv.FormatInt(part, 10)] = map[string]any{"name": partName, "note": note, "lines": words}
	}
	return map[string]any{
		"whole": map[string]any{
			"id": stdjson.Number(number), "name": name, "title": title,
			"money": map[string]any{"cost": cost, "price": price}, "flags": map[string]any{"used": used, "sold": sold},
			"a field with a name that is longer than a short piece, and \"quotes\" in it": count, "pages": pages,
			"texts":      map[string]any{"id": number, "count": asText(count), "pages": asText(pages)},
			"name again": name, "parts": parts,
		},
		"lines": allLines, "title": title, "count": asText(count), "name": name,
	}
}

// checkThings derives things from choices, appends their documents to a prefix in slices with room bytes to spare, and decodes the
// documents with both decoders.
func checkThings(t testing.TB, spec *shape.Shape, renderers []*Renderer, data []byte, longest, number, prefix, room int) {
	t.Helper()
	files := map[string]*strings.Builder{}
	for file, header := range map[string]string{"thing.csv": "id,name,title,cost,price,used,sold,count,pages\n", "part.csv": "id,thing,name,note\n", "line.csv": "id,part,words\n"} {
		files[file] = &strings.Builder{}
		files[file].WriteString(header)
	}
	c := &choices{left: data, longest: longest}
	want := map[int64]map[string]any{}
	for id := int64(1); id <= int64(number); id++ {
		want[id] = c.thing(id, files)
	}
	readers := make([]*source.Reader, len(spec.Sources))
	for i := range spec.Sources {
		reader, err := source.NewReader(strings.NewReader(files[spec.Sources[i].File].String()), &spec.Sources[i], &spec.Dialect, noRejects{t},
			source.Options{})
		if err != nil {
			t.Fatal(err)
		}
		readers[i] = reader
	}
	joiner, err := join.New(spec.Sources, readers, join.Options{})
	if err != nil {
		t.Fatal(err)
	}
	before := bytes.Repeat([]byte{'p'}, prefix)
	for {
		tree, err := joiner.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		for i := range spec.Endpoints {
			d := &spec.Endpoints[i]
			dst := append(make([]byte, 0, prefix+room), before...)
			got := renderers[i].Append(dst, tree)
			if !bytes.HasPrefix(got, before) {
				t.Fatalf("%s of %d overwrote the prefix", d.Name, tree.ID().Int())
			}
			got = got[prefix:]
			for how, decode := range map[string]func([]byte) (any, error){"encoding/json": decodeStd, "goccy/go-json": decodeGoccy} {
				if value, err := decode(got); err != nil || !reflect.DeepEqual(value, want[tree.ID().Int()][d.Name]) {
					t.Fatalf("%s of %d, into %d bytes of room, is %.2000q; %s reads %.2000q (%v), want %.2000q", d.Name, tree.ID().Int(), room, got, how, value,
						err, want[tree.ID().Int()][d.Name])
				}
			}
		}
		delete(want, tree.ID().Int())
	}
	if len(want) > 0 {
		t.Fatalf("%d things are missing", len(want))
	}
}

func decodeStd(text []byte) (value any, err error) {
	decoder := stdjson.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err = decoder.Decode(&value); err == nil && decoder.More() {
		err = errors.New("text after the value")
	}
	return value, err
}

func decodeGoccy(text []byte) (value any, err error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	err = decoder.Decode(&value)
	return numbers(value), err
}

// numbers converts the numbers of goccy/go-json to the type of encoding/json.
func numbers(value any) any {
	switch value := value.(type) {
	case json.Number:
		return value
	case []any:
		for i := range value {
			value[i] = numbers(value[i])
		}
	case map[string]any:
		for name := range value {
			value[name] = numbers(value[name])
		}
	}
	return value
}

func thingShape(t testing.TB) (*shape.Shape, []*Renderer) {
	t.Helper()
	spec, err := shape.Parse("things.yaml", []byte(things))
	if err != nil {
		t.Fatal(err)
	}
	var renderers []*Renderer
	for i := range spec.Endpoints {
		renderers = append(renderers, New(spec, &spec.Endpoints[i]))
	}
	return spec, renderers
}

// FuzzAgainstDecoders renders things whose values derive from the data, and decodes the documents with two decoders. The seeds below reach
// all statements that the fuzzer has reached.
func FuzzAgainstDecoders(f *testing.F) {
	spec, renderers := thingShape(f)
	f.Add([]byte(nil), uint8(0), uint8(0))
	f.Add([]byte("x\"y\\z and more, 1234567890 and so on, in UTF-8 \u00e9\u65e5"), uint8(3), uint8(200))
	random := rand.New(rand.NewPCG(7, 8))
	for range 12 {
		data := make([]byte, 40+random.IntN(200))
		for i := range data {
			data[i] = byte(random.IntN(255))
		}
		f.Add(data, uint8(random.IntN(256)), uint8(random.IntN(256)))
	}
	f.Fuzz(func(t *testing.T, data []byte, prefix, room uint8) {
		if len(data) > 400 {
			return // one thing needs less
		}
		checkThings(t, spec, renderers, data, 600, 1, int(prefix), int(room))
	})
}

// TestAgainstDecoders renders many things at once, with any small room to spare, and with texts larger than all buffers.
func TestAgainstDecoders(t *testing.T) {
	spec, renderers := thingShape(t)
	random := rand.New(rand.NewPCG(9, 10))
	for room := range 120 {
		data := make([]byte, 3_000)
		for i := range data {
			data[i] = byte(random.IntN(255))
			if random.IntN(200) == 0 {
				data[i] = 255 // as the size of a text, more than 64 KiB
			}
		}
		checkThings(t, spec, renderers, data, 70_000, 10, room%5, room)
	}
}

// TestLongTexts has texts of all lengths around those of a short piece and of the buffers, with and without escapes.
func TestLongTexts(t *testing.T) {
	spec, err := shape.Parse("texts.yaml", []byte(`
collection: texts
sources: {text: {file: text.csv, key: id, columns: {id: int, one: text, other: text?}}}
documents: {text: {path: "", body: {one: one, other: other}}}
`))
	if err != nil {
		t.Fatal(err)
	}
	var lengths []int
	for n := range 100 {
		lengths = append(lengths, n)
	}
	lengths = append(lengths, 255, 256, 4095, 4096, 65_535, 65_536, 65_537, 200_000)
	texts := map[int64]string{}
	var file strings.Builder
	file.WriteString("id,one,other")
	for _, n := range lengths {
		for _, filling := range []string{"x", `"`, "é", "\x01", `\`} {
			id := int64(len(texts) + 1)
			texts[id] = strings.Repeat(filling, n)
			written := strings.ReplaceAll(texts[id], `"`, `""`)
			fmt.Fprintf(&file, "\n%d,\"%s\",\"%s\"", id, written, written)
		}
	}
	for id, documents := range render(t, spec, func(string) io.Reader { return strings.NewReader(file.String()) }) {
		want := map[string]any{"one": texts[id], "other": texts[id]}
		for _, decode := range []func([]byte) (any, error){decodeStd, decodeGoccy} {
			if value, err := decode([]byte(documents["text"])); err != nil || !reflect.DeepEqual(value, want) {
				t.Fatalf("%d bytes of %.3q were rendered as %.200q (%v)", len(texts[id]), texts[id], documents["text"], err)
			}
		}
		delete(texts, id)
	}
	if len(texts) > 0 {
		t.Errorf("%d texts are missing", len(texts))
	}
}
