// Package lookup stores a map from keys to values on disk: a Builder receives the entries, and a Table finds the value of a key.
//
// Keys and values are appended to a temporary file, and an index in another one locates them: a hash table with open addressing. Both
// are mapped into memory, so the operating system keeps as much of them there as there is room for, and memory is bounded whatever
// their size. The files are unlinked right after they are created, so they disappear with the process.
package lookup

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/zeebo/xxh3"
)

// Value is the value of a key.
type Value struct {
	Text  []byte
	Null  bool
	Plain bool // the text contains no character that a JSON string must escape
}

// The entries are in the order of their addition: the length of the key, that of the value, shifted to the left by the flags, the key and
// the value.
const (
	flagNull  = 1
	flagPlain = 2
	flagBits  = 2
)

// A slot of the index is 0, or contains the high bits of the key's hash and the address of the entry, plus 1.
const (
	slotSize    = 8
	addressBits = 40
	addressMask = 1<<addressBits - 1
	firstSlots  = 1 << 9
)

// maxEntryHead is the maximal size of the two lengths of an entry.
const maxEntryHead = 2 * binary.MaxVarintLen64

// Builder receives the entries of a Table. It must be used by one goroutine.
type Builder struct {
	directory string
	entries   *os.File
	writer    *bufio.Writer
	written   int64
	index     *region
	count     int
	buffer    []byte
	distinct  bool
	warm      byte
}

// NewBuilder returns a Builder with temporary files in a directory; "" is the system's. It must be closed unless Table is called. distinct
// means that no key comes twice, so that Add need not look for it.
func NewBuilder(directory string, distinct bool) (*Builder, error) {
	b := &Builder{directory: directory, distinct: distinct}
	var err error
	if b.entries, err = temporary(directory); err != nil {
		return nil, b.failed(err)
	}
	b.writer = bufio.NewWriterSize(b.entries, 64<<10)
	if b.index, err = newIndex(directory, firstSlots); err != nil {
		return nil, errors.Join(b.failed(err), b.Close())
	}
	return b, nil
}

// Add adds an entry, unless there is one with this key: then it returns false. It copies the key and the value.
func (b *Builder) Add(key []byte, value Value) (added bool, err error) {
	if b.distinct {
		b.count++
		return true, b.failed(b.write(key, value))
	}
	if slots := len(b.index.bytes) / slotSize; 2*(b.count+1) > slots {
		if err := b.reindex(2 * slots); err != nil {
			return false, b.failed(err)
		}
	}
	hash := xxh3.Hash(key)
	slots := uint64(len(b.index.bytes) / slotSize)
	at := hash & (slots - 1)
	for ; ; at = (at + 1) & (slots - 1) {
		slot := binary.LittleEndian.Uint64(b.index.bytes[at*slotSize:])
		if slot == 0 {
			break
		}
		if slot>>addressBits != hash>>addressBits {
			continue
		}
		same, err := b.has(int64(slot&addressMask)-1, key)
		if same || err != nil {
			return false, b.failed(err)
		}
	}
	binary.LittleEndian.PutUint64(b.index.bytes[at*slotSize:], hash>>addressBits<<addressBits|uint64(b.written+1))
	b.count++
	return true, b.failed(b.write(key, value))
}

func (b *Builder) write(key []byte, value Value) error {
	if b.written >= addressMask {
		return errors.New("a look-up table has more than 1 TiB")
	}
	flags := uint64(0)
	if value.Null {
		flags |= flagNull
	}
	if value.Plain {
		flags |= flagPlain
	}
	b.buffer = binary.AppendUvarint(b.buffer[:0], uint64(len(key)))
	b.buffer = binary.AppendUvarint(b.buffer, uint64(len(value.Text))<<flagBits|flags)
	b.buffer = append(b.buffer, key...)
	b.written += int64(len(b.buffer) + len(value.Text))
	if _, err := b.writer.Write(b.buffer); err != nil {
		return err
	}
	_, err := b.writer.Write(value.Text)
	return err
}

// has reports whether the entry at an address has this key. It is called for few other keys.
func (b *Builder) has(address int64, key []byte) (bool, error) {
	if err := b.writer.Flush(); err != nil {
		return false, err
	}
	b.buffer = append(b.buffer[:0], make([]byte, maxEntryHead+len(key))...)
	n, err := b.entries.ReadAt(b.buffer, address)
	if err != nil && !errors.Is(err, io.EOF) {
		return false, err
	}
	there, _, _ := parse(b.buffer[:n:n])
	return bytes.Equal(there, key), nil
}

// parse parses the entry at the beginning of entries, which may end within it. text begins with the value.
func parse(entries []byte) (key, text []byte, value uint64) {
	size, n := binary.Uvarint(entries)
	value, m := binary.Uvarint(entries[n:])
	text = entries[n+m:]
	if size > uint64(len(text)) {
		return nil, nil, value
	}
	return text[:size], text[size:], value
}

// reindex replaces the index by one with another number of slots, a power of two.
func (b *Builder) reindex(slots int) error {
	if err := b.writer.Flush(); err != nil {
		return err
	}
	larger, err := newIndex(b.directory, slots)
	if err != nil {
		return err
	}
	smaller := b.index
	b.index = larger
	defer func() { _ = smaller.close() }()
	entries, err := mapFile(b.entries, b.written, false)
	if err != nil {
		return err
	}
	defer func() { _ = entries.close() }()
	var hashes, addresses [Most]uint64
	count := 0
	for rest := entries.bytes; len(rest) > 0; {
		key, text, value := parse(rest)
		hashes[count], addresses[count] = xxh3.Hash(key), uint64(len(entries.bytes)-len(rest))
		rest = text[value>>flagBits:]
		if count++; count == Most || len(rest) == 0 {
			b.insert(hashes[:count], addresses[:count])
			count = 0
		}
	}
	return nil
}

// insert adds entries with different keys to the index.
func (b *Builder) insert(hashes, addresses []uint64) {
	index := b.index.bytes
	mask := uint64(len(index)/slotSize) - 1
	for _, hash := range hashes { // as in Finder.Find
		b.warm ^= index[hash&mask*slotSize]
	}
	for i, hash := range hashes {
		at := hash & mask
		for binary.LittleEndian.Uint64(index[at*slotSize:]) != 0 {
			at = (at + 1) & mask
		}
		binary.LittleEndian.PutUint64(index[at*slotSize:], hash>>addressBits<<addressBits|(addresses[i]+1))
	}
}

// Table returns the entries. The Builder must not be used afterwards; close the Table instead.
func (b *Builder) Table() (*Table, error) {
	err := b.writer.Flush()
	if b.distinct && err == nil {
		slots := firstSlots
		for slots < 2*b.count {
			slots *= 2
		}
		err = b.reindex(slots)
	}
	if err != nil {
		return nil, errors.Join(b.failed(err), b.Close())
	}
	entries, err := mapFile(b.entries, b.written, false)
	if err != nil {
		return nil, errors.Join(b.failed(err), b.Close())
	}
	t := &Table{entries: entries, index: b.index, mask: uint64(len(b.index.bytes)/slotSize) - 1, count: b.count}
	return t, b.failed(b.entries.Close()) // the mapping stays
}

// Close frees the disk space of a Builder on which Table is not called.
func (b *Builder) Close() error {
	err := b.entries.Close()
	if b.index != nil {
		err = errors.Join(err, b.index.close())
	}
	return err
}

func (b *Builder) failed(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("write a look-up table in %s: %w; --temp names another directory, on a disk with more room", b.directory, err)
}

// Table finds values by key. It may be used by several goroutines.
type Table struct {
	entries *region
	index   *region
	mask    uint64 // number of slots, minus 1
	count   int
}

// Len returns the number of entries.
func (t *Table) Len() int { return t.count }

// Find returns the value of a key. Its text is valid until Close.
func (t *Table) Find(key []byte) (Value, bool) { return t.find(key, xxh3.Hash(key)) }

// Finder finds the values of many keys in less time than Find needs for each: the waits for the memory overlap. It must be used by one
// goroutine.
type Finder struct {
	hashes [Most]uint64
	warm   byte
}

// Most is the number of keys that a Finder finds at once.
const Most = 64

// Find sets found and values for keys, of which there may be Most. The texts are valid until Close.
func (f *Finder) Find(t *Table, keys [][]byte, values []Value, found []bool) {
	warm := f.warm
	for i, key := range keys {
		f.hashes[i] = xxh3.Hash(key)
	}
	// The loads of a loop do not depend on each other, so that the processor waits for several at a time.
	for _, hash := range f.hashes[:len(keys)] {
		warm ^= t.index.bytes[hash&t.mask*slotSize]
	}
	for _, hash := range f.hashes[:len(keys)] {
		if slot := binary.LittleEndian.Uint64(t.index.bytes[hash&t.mask*slotSize:]); slot != 0 {
			warm ^= t.entries.bytes[slot&addressMask-1]
		}
	}
	f.warm = warm
	for i, key := range keys {
		values[i], found[i] = t.find(key, f.hashes[i])
	}
}

func (t *Table) find(key []byte, hash uint64) (Value, bool) {
	for at := hash & t.mask; ; at = (at + 1) & t.mask {
		slot := binary.LittleEndian.Uint64(t.index.bytes[at*slotSize:])
		if slot == 0 {
			return Value{}, false
		}
		if slot>>addressBits != hash>>addressBits {
			continue
		}
		there, text, value := parse(t.entries.bytes[slot&addressMask-1:])
		if bytes.Equal(there, key) {
			return Value{Text: text[: value>>flagBits : value>>flagBits], Null: value&flagNull != 0, Plain: value&flagPlain != 0}, true
		}
	}
}

// Close frees the disk space and the memory.
func (t *Table) Close() error { return errors.Join(t.entries.close(), t.index.close()) }
