package inspect

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/dustin/go-humanize/english"

	"systemscale/etl/internal/shape"
	"systemscale/sql"
	"systemscale/sql/printable"
)

// writer writes YAML with comments.
type writer struct {
	bytes.Buffer
	in   *inspection
	tree *tree
}

// write returns the shape file of a tree.
func (in *inspection) write(tr *tree) []byte {
	w := &writer{in: in, tree: tr}
	w.comment(0, "A guess of etl init: each comment has the evidence in the files for the line that it is on. Correct what is wrong,")
	w.comment(0, "remove what no client needs, and run etl check. infra/docs/shape-file.md describes the format.")
	w.line(0, "collection: "+collection(tr.root.base()), "the first segment of the URLs")
	w.WriteByte('\n')
	w.dialect()
	w.line(0, "sources:", "")
	for _, t := range w.sources() {
		w.source(t)
	}
	w.leftOut()
	w.WriteByte('\n')
	w.documents()
	return w.Bytes()
}

// sources are the files that the shape reads.
func (w *writer) sources() []*table { return slices.Concat(w.tree.order, w.tree.lookups) }

func (w *writer) line(indent int, text, comment string) {
	w.WriteString(strings.Repeat("  ", indent) + text)
	if comment != "" {
		w.WriteString("   # " + printable.Text(strings.ToValidUTF8(comment, "?")))
	}
	w.WriteByte('\n')
}

func (w *writer) comment(indent int, text string) {
	w.WriteString(strings.Repeat("  ", indent) + "# " + printable.Text(strings.ToValidUTF8(text, "?")) + "\n")
}

// collection returns the name of the collection for the name of its root file.
func collection(file string) string {
	name := plainName(file, "items")
	if parts := strings.Split(name, "_"); !slices.ContainsFunc(parts, isPlural) {
		parts[len(parts)-1] = english.PluralWord(2, parts[len(parts)-1], "")
		name = strings.Join(parts, "_")
	}
	name = strings.Trim(name[:min(len(name), sql.MaxNameLength)], "_")
	if sql.ReservedFor(name) != "" {
		name += "_list"
	}
	return name
}

func (w *writer) dialect() {
	n := w.tree.root.notation
	w.line(0, "dialect:", "")
	w.line(1, "delimiter: "+quote(n.delimiter), "splits the lines into the same number of fields")
	if words, evidence := w.nulls(); len(words) > 0 {
		w.line(1, "null: "+list(words), evidence)
	}
	for _, s := range n.settings(notation{delimiter: n.delimiter}) {
		w.line(1, s.text, s.evidence)
	}
	w.WriteByte('\n')
}

// setting is a line of a dialect.
type setting struct{ text, evidence string }

// settings returns what a notation has otherwise than another one.
func (n notation) settings(other notation) []setting {
	var found []setting
	add := func(differs, plain bool, text, evidence string) {
		if plain {
			evidence = "unlike the others"
		}
		if differs {
			found = append(found, setting{text, evidence})
		}
	}
	encoding := n.encoding
	if encoding == "" {
		encoding = "utf-8"
	}
	add(n.delimiter != other.delimiter, false, "delimiter: "+quote(n.delimiter), "splits the lines into the same number of fields")
	add(n.encoding != other.encoding, n.encoding == "", "encoding: "+encoding, "the bytes are letters in it")
	add(n.headerless != other.headerless, !n.headerless, fmt.Sprintf("header: %t", !n.headerless), "the first row is like the others")
	add(n.noQuotes != other.noQuotes, !n.noQuotes, fmt.Sprintf("quotes: %t", !n.noQuotes), "quotes are in fields, not around them")
	records := "lines"
	if n.multiline {
		records = "quoted"
	}
	add(n.multiline != other.multiline, !n.multiline, "records: "+records, "quoted fields have line ends")
	shortRows := "reject"
	if n.shortRows {
		shortRows = `"null"`
	}
	add(n.shortRows != other.shortRows, !n.shortRows, "short_rows: "+shortRows, "rows end before the last field")
	add(n.trim != other.trim, !n.trim, fmt.Sprintf("trim_spaces: %t", n.trim), "spaces around fields")
	add(n.closeQuotes != other.closeQuotes, !n.closeQuotes, fmt.Sprintf("close_quotes: %t", n.closeQuotes),
		"quotes that are open at the end of a line")
	return found
}

// ownDialect writes the dialect of a source, if it differs from that of the shape.
func (w *writer) ownDialect(t *table) {
	var texts, evidence []string
	for _, s := range t.notation.settings(w.tree.root.notation) {
		texts, evidence = append(texts, s.text), append(evidence, s.evidence)
	}
	if len(texts) > 0 {
		if t.closed > 0 {
			evidence = append(evidence, count(t.closed, "row")+" lack the last quote")
		}
		w.line(2, "dialect: {"+strings.Join(texts, ", ")+"}", strings.Join(evidence, "; "))
	}
}

// nulls returns the words that mean null in some file, with the evidence.
func (w *writer) nulls() (found []string, evidence string) {
	counts := make([]int64, afterWords)
	for _, t := range w.sources() {
		if strings.HasSuffix(t.source, belowSuffix) {
			continue // the same file
		}
		for _, c := range t.columns {
			for i := range counts {
				if c.nullable && (i > emptyWord || c.kind != shape.Text) {
					counts[i] += c.nulls[i]
				}
			}
		}
	}
	var parts []string
	for i, n := range counts {
		if n > 0 {
			found = append(found, nullWords[i])
			what := nullWords[i]
			if i == emptyWord {
				what = "nothing, in columns of numbers and flags"
			}
			parts = append(parts, count(n, "field")+" with "+what)
		}
	}
	return found, strings.Join(parts, "; ")
}

func (w *writer) source(t *table) {
	w.line(1, quote(t.source)+":", "")
	rows := count(t.rows, "row")
	switch {
	case w.tree.root != t:
	case w.in.options.Root != "":
		rows += "; the items, as --root says"
	case w.tree.files > 1:
		rows += fmt.Sprintf("; the items: it leads to %s", count(int64(w.tree.files-1), "other file"))
	default:
		rows += "; the items"
	}
	if slices.Contains(w.tree.lookups, t) {
		rows += "; looked up by its key"
	}
	w.line(2, "file: "+quote(t.text.Name), rows)
	switch {
	case t.unsureHeader && t.notation.headerless:
		w.comment(2, "perhaps the first row has the names of the columns: if so, remove header: false, and use these names below")
	case t.unsureHeader:
		w.comment(2, "perhaps the first row is a row like the others: if so, write dialect: {header: false} here, and names of your own below")
	}
	w.ownDialect(t)
	w.key(t)
	parent := w.tree.parents[t]
	if parent != nil {
		w.line(2, "parent: "+quote(parent.to.source), "")
		on := quote(t.columns[parent.column].name)
		if parent.key != parent.to.key {
			on = "{" + on + ": " + quote(parent.to.columns[parent.key].name) + "}"
		}
		w.line(2, "on: "+on, parent.evidence())
	}
	if w.tree.isOneToOne(t) {
		w.line(2, "one_to_one: true", "the key is that of the parent")
	}
	if parent != nil && parent.zeros*damage > parent.checked {
		w.line(2, "filters: {no parent: {column: "+quote(t.columns[parent.column].name)+`, drop: "0"}}`, comma(parent.zeros)+" are 0")
	}
	if t.notation.openEnd {
		w.line(2, "final_newline: optional", "its last line has no line end: is the file complete?")
	}
	w.line(2, "columns:", "")
	for i, c := range t.columns {
		isKey := i == t.key || parent != nil && i == parent.column && c.rarelyNull()
		w.line(3, quote(c.name)+": "+c.declaration(isKey), c.comment(t, i, parent))
	}
	for _, reason := range slices.Sorted(maps.Keys(t.damaged)) {
		w.comment(2, fmt.Sprintf("%s will be rejected: %s", count(t.damaged[reason], "row"), reason))
	}
}

// key writes the key of a source. Without children, it needs none.
func (w *writer) key(t *table) {
	switch {
	case t.key >= 0:
		w.line(2, "key: "+quote(t.columns[t.key].name), t.columns[t.key].uniqueness())
	case len(t.pairs) > 0:
		p := t.pairs[0]
		w.line(2, "key: ["+quote(t.columns[p.first].name)+", "+quote(t.columns[p.second].name)+"]", "different in all rows, together")
	default:
		w.comment(2, "no key: no column has a different value in each row, nor have two of them together")
	}
}

// uniqueness is the evidence that the column is a key.
func (c *column) uniqueness() string {
	text := count(c.values, "row") + ", " + count(c.values-c.duplicates, "different value")
	if c.known.thin > 0 {
		text = "no value comes twice in a sample of 1 in " + comma(1<<c.known.thin)
	}
	if c.duplicates > 0 {
		text += "; the others will be rejected, such as " + c.first.show()
	}
	return text
}

// declaration is the type of a column in a shape file. The few rows without a key are rejected.
func (c *column) declaration(isKey bool) string {
	name := c.kind.String()
	if c.nullable && !isKey {
		name += "?"
	}
	var settings string
	if len(c.own) > 0 && !isKey {
		settings = ", null: " + list(c.own)
	}
	if c.declared != nil {
		settings += ", numbers: " + yaml(c.declared)
	}
	if c.format != "" {
		settings += ", format: " + list([]string{c.format})
	}
	if settings != "" {
		return "{type: " + name + settings + "}"
	}
	return name
}

func (c *column) comment(t *table, at int, parent *reference) string {
	comment := c.evidence
	for _, r := range t.references {
		if r.column == at && r != parent {
			comment += "; " + r.evidence()
		}
	}
	return comment
}

// leftOut names the files that the shape does not read.
func (w *writer) leftOut() {
	for _, t := range w.in.tables {
		if slices.Contains(w.sources(), t) {
			continue
		}
		reason := "no column has the keys of a file above"
		if len(t.references) > 0 {
			r := slices.MaxFunc(t.references, func(a, b *reference) int { return cmp.Compare(a.like, b.like) })
			reason = t.columns[r.column].name + ": " + r.evidence()
		}
		w.comment(1, fmt.Sprintf("%s (%s) is not used: %s", t.text.Name, count(t.rows, "row"), reason))
	}
	for _, t := range w.in.left {
		w.comment(1, fmt.Sprintf("%s is not used: %s", t.text.Name, t.problem))
	}
}

// documents writes a list and one document of each item, with all rows below it.
func (w *writer) documents() {
	name, root := collection(w.tree.root.base()), w.tree.root
	w.line(0, "documents:", "")
	w.line(1, "summary:", "GET /"+name+"?page=1&count=5")
	w.line(2, "list: true", "")
	w.line(2, "body:", "")
	w.object(3, root, 0, false)
	address := "GET /" + name + "/" + root.example()
	w.line(1, "item:", address+w.tree.shrunk())
	w.line(2, `path: ""`, "")
	w.line(2, "body:", "")
	w.object(3, root, w.tree.nestedIn(root), !w.tree.apart)
	if !w.tree.apart {
		return
	}
	for i, child := range w.children(root) {
		path := strings.ReplaceAll(child.source, "_", "-")
		w.line(1, quote(fmt.Sprintf("item_%d", i+1))+":", address+"/"+path)
		w.line(2, "path: "+path, "")
		w.line(2, "body:", "")
		w.line(3, "results:", "")
		w.child(4, child, root)
	}
}

// example is the id of an item, in an address.
func (t *table) example() string {
	if t.key >= 0 {
		return url.PathEscape(t.columns[t.key].example)
	}
	p := t.pairs[0]
	return url.PathEscape(t.columns[p.first].example) + "/" + url.PathEscape(t.columns[p.second].example)
}

// field is a field of an object in a body.
type field struct{ name, value string }

// fields returns the fields of the rows of a file, without the column by which it refers to its parent.
func (w *writer) fields(t *table, parent *reference) []field {
	var fields []field
	for i, c := range t.columns {
		if parent != nil && i == parent.column && i != t.key && parent.key == parent.to.key {
			continue
		}
		value := quote(c.name)
		if c.kind == shape.Int && (c.high > 1<<53-1 || c.low < -(1<<53-1)) {
			value = "{text: " + value + "}" // JavaScript would round the number
		}
		fields = append(fields, field{c.name, value})
	}
	return fields
}

// object writes an object with the fields of a file's rows, as many look-ups in look-ups, and, if below is set, their children. above are the
// files around it.
func (w *writer) object(indent int, t *table, lookups int, below bool, above ...*table) {
	fields := w.fields(t, w.tree.parents[t])
	taken := map[string]bool{}
	for _, f := range fields {
		taken[f.name] = true
	}
	if slices.ContainsFunc(fields, func(f field) bool { return slices.Contains(bodyWords, f.name) }) {
		w.line(indent, "object:", "")
		indent++
	}
	for _, f := range fields {
		w.line(indent, quote(f.name)+": "+f.value, "")
	}
	free := func(name string) string {
		for taken[name] || slices.Contains(bodyWords, name) {
			name += "_row"
		}
		taken[name] = true
		return name
	}
	above = append(above, t)
	for _, r := range t.references {
		if lookups > 0 && w.tree.isLookup(t, r) && !slices.Contains(above, r.to) {
			w.line(indent, quote(free(t.nameOf(r)))+":", "")
			w.line(indent+1, "lookup: "+quote(r.to.source), "")
			w.line(indent+1, "by: "+quote(t.columns[r.column].name), "")
			w.line(indent+1, "as:", "")
			w.object(indent+2, r.to, lookups-1, false, above...)
		}
	}
	if below {
		for _, child := range w.children(t) {
			w.line(indent, quote(free(child.source))+":", "")
			w.child(indent+1, child, above...)
		}
	}
}

// child writes the rows of a file below a row.
func (w *writer) child(indent int, t *table, above ...*table) {
	each := "each: "
	if w.tree.isOneToOne(t) {
		each = "one: "
	}
	w.line(indent, each+quote(t.source), "")
	w.line(indent, "as:", "")
	w.object(indent+1, t, w.tree.nestedIn(t), true, above...)
}

// nameOf returns the name of the field with the row that a column refers to.
func (t *table) nameOf(r *reference) string {
	if r.values {
		return r.to.source
	}
	return strings.Join(noun(t.columns[r.column].name), "_")
}

func (w *writer) children(of *table) []*table {
	var children []*table
	for _, t := range w.tree.order {
		if parent := w.tree.parents[t]; parent != nil && parent.to == of {
			children = append(children, t)
		}
	}
	return children
}

// bodyWords are the keywords of a body, which cannot be the names of fields without object.
var bodyWords = []string{
	"each", "text", "object", "constant", "array", "join", "split", "one", "count", "sum", "min", "max", "average", "counts", "lookup",
}
