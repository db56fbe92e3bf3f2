package store

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgerrcode"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// exchange sends the waiting lookups in one round trip and settles those that are answered. It puts the others into again: to be sent on
// this connection or, if there is an error, on another one.
func (w *worker) exchange() error {
	w.again = w.again[:0]
	w.sort()
	batch := &pgconn.Batch{}
	if err := w.assemble(batch); err != nil {
		w.unanswered(w.groups)
		return err
	}
	if len(w.groups) == 0 {
		return nil
	}
	w.metrics.batchSize.Observe(float64(len(w.waiting)))
	if w.sent != nil {
		w.sent.Add(float64(len(w.waiting)))
	}

	// Set again, because assembling may have waited for the version rows.
	if err := w.conn.setDeadline(w.timeout + answerGrace); err != nil {
		w.unanswered(w.groups)
		return err
	}
	results := w.conn.ExecBatch(context.Background(), batch)
	answered := 0
	var stopped error
	for answered < len(w.groups) && results.NextResult() {
		if stopped = w.read(&w.groups[answered], results.ResultReader()); stopped != nil {
			break
		}
		answered++
	}
	err := results.Close()
	switch {
	case errors.Is(stopped, errForeign):
		w.queue.logger.Error("database connection dropped", "error", errForeign, "table", w.groups[answered].endpoint.table)
		w.unanswered(w.groups[answered:])
		return errForeign
	case answered == len(w.groups) && !w.conn.IsClosed():
		return nil
	case w.conn.IsClosed():
		w.unanswered(w.groups[answered:])
		return err
	case err == nil:
		w.unanswered(w.groups[answered:])
		return errors.New("the server answered fewer statements than were sent")
	}
	// The first unanswered statement failed, and with it the others, which belong to the same implicit transaction.
	w.unanswered(w.groups[answered+1:])
	w.failed(&w.groups[answered], err)
	return nil
}

// sort arranges the waiting lookups into groups.
func (w *worker) sort() {
	w.groups = w.groups[:0]
	for _, l := range w.waiting {
		if l.endpoint != w.covered && !w.redirect(l) {
			continue
		}
		g := w.group(l)
		g.members = append(g.members, member{l.id, l.text, l})
	}
	for i := range w.groups {
		slices.SortFunc(w.groups[i].members, compareMembers)
	}
}

func compareMembers(a, b member) int {
	if a.id != b.id || a.text == "" {
		return cmp.Compare(a.id, b.id)
	}
	return strings.Compare(a.text, b.text)
}

// rowID is the id in a row; one of its parts is zero.
type rowID struct {
	number int64
	text   []byte
}

func (g *group) rowID(value []byte) (rowID, error) {
	switch {
	case g.endpoint.idParts > 0:
		return rowID{text: value}, nil
	case len(value) == 8:
		return rowID{number: int64(binary.BigEndian.Uint64(value))}, nil
	}
	return rowID{}, errForeign
}

func (m *member) has(id rowID) bool { return m.id == id.number && m.text == string(id.text) }

// find returns the index of the first member with an id that is not less than id.
func (g *group) find(id rowID) int {
	at, _ := slices.BinarySearchFunc(g.members, id, func(m member, id rowID) int {
		if m.id != id.number || m.text == "" {
			return cmp.Compare(m.id, id.number)
		}
		return strings.Compare(m.text, string(id.text))
	})
	return at
}

// group returns the group that l belongs to.
func (w *worker) group(l *lookup) *group {
	if l.kind.shared() && !l.alone {
		for i := range w.groups {
			if g := &w.groups[i]; g.endpoint == l.endpoint && g.kind == l.kind && !g.members[0].lookup.alone {
				return g
			}
		}
	}
	if len(w.groups) < cap(w.groups) { // reuses the memory of its members
		w.groups = w.groups[:len(w.groups)+1]
	} else {
		w.groups = append(w.groups, group{})
	}
	g := &w.groups[len(w.groups)-1]
	*g = group{endpoint: l.endpoint, kind: l.kind, members: g.members[:0]}
	return g
}

// assemble adds the statement of each group to batch. Groups whose statement fails to prepare are settled and removed from w.groups. An
// error means that the connection is broken.
func (w *worker) assemble(batch *pgconn.Batch) error {
	if err := w.conn.setDeadline(w.timeout + answerGrace); err != nil {
		return err
	}
	if err := w.conn.sweep(w.follower.snapshot.Load()); err != nil {
		return err
	}
	for i := 0; i < len(w.groups); {
		g := &w.groups[i]
		statement, err := w.conn.statement(g.endpoint, g.kind)
		if err != nil {
			if w.conn.IsClosed() {
				return err
			}
			w.failed(g, err)
			last := len(w.groups) - 1
			w.groups[i], w.groups[last] = w.groups[last], w.groups[i]
			w.groups = w.groups[:last]
			continue
		}
		w.arguments.reset()
		switch {
		case g.kind.shared() && g.endpoint.idParts > 0:
			w.arguments.texts(g.members)
		case g.kind.shared():
			w.arguments.ids(g.members)
		default:
			w.sequence++
			g.members[0].lookup.sequence = w.sequence
			g.members[0].lookup.bind(&w.arguments)
		}
		g.sent = statement
		statement.add(batch, w.arguments.values)
		i++
	}
	return nil
}

// unanswered puts the unsettled lookups of groups into again.
func (w *worker) unanswered(groups []group) {
	for i := range groups {
		for _, m := range groups[i].members {
			if m.lookup != nil {
				w.again = append(w.again, m.lookup)
			}
		}
	}
}

// read settles the members of a group with the rows of its statement. It returns an error if the rows did not arrive.
func (w *worker) read(g *group, rows *pgconn.ResultReader) error {
	if err := g.sent.check(rows); err != nil {
		return err
	}
	if !g.kind.shared() {
		l := g.members[0].lookup
		if err := l.read(g.sent, rows); err != nil {
			return err
		}
		g.members[0].lookup = nil
		w.settle(l, l.err)
		return nil
	}
	next := 0         // an index scan returns rows in order
	verified := false // the rows are of the endpoint's version
	for first := true; rows.NextRow(); first = false {
		values := rows.Values()
		if !g.sent.owns(values) || len(values[2]) != 8 {
			return errForeign
		}
		if g.kind == kindVersioned && values[1] == nil {
			if !first || len(values[4]) != 8 {
				return errForeign
			}
			verified = w.tier.verify(g.endpoint, values)
			continue
		}
		id, err := g.rowID(values[1])
		if err != nil {
			return err
		}
		if next >= len(g.members) || !g.members[next].has(id) {
			next = g.find(id)
		}
		if next >= len(g.members) || !g.members[next].has(id) || g.members[next].lookup == nil {
			return errForeign
		}
		for ; next < len(g.members) && g.members[next].has(id); next++ {
			l := g.members[next].lookup
			g.members[next].lookup = nil
			switch {
			case g.kind == kindGet || g.kind == kindVersioned:
				l.take(values)
				if verified {
					l.result.from = g.endpoint
				}
				w.settle(l, l.err)
			case l.held(values):
				w.settle(l, nil)
			default:
				l.kind = kindGet
				w.again = append(w.again, l)
			}
		}
	}
	if _, err := rows.Close(); err != nil {
		return err
	}
	for i := range g.members {
		if l := g.members[i].lookup; l != nil {
			g.members[i].lookup = nil
			l.missing()
			w.settle(l, l.err)
		}
	}
	return nil
}

// failed settles the lookups of a group whose statement failed, or sends them again.
func (w *worker) failed(g *group, err error) {
	for i := range g.members {
		if l := g.members[i].lookup; l != nil {
			w.refused(l, err, len(g.members) > 1)
		}
	}
}

// refused settles a lookup whose statement failed, or sends it again. shared means that other lookups shared the statement.
func (w *worker) refused(l *lookup, err error, shared bool) {
	failure, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		w.settle(l, err)
		return
	}
	switch code := failure.Code; {
	case code == pgerrcode.UndefinedTable || code == pgerrcode.FeatureNotSupported: // "cached plan must not change result type"
		w.follow(l, err)
	case code == pgerrcode.InvalidSQLStatementName && w.conn.lost(l.endpoint.statement(l.kind)):
		w.again = append(w.again, l)
	case code == pgerrcode.InsufficientPrivilege:
		w.follower.recheck() // then Ready fails
		w.settle(l, ErrUnreadable)
	case code == pgerrcode.QueryCanceled: // by statement_timeout
		w.settle(l, ErrTimeout)
	case pgerrcode.IsTransactionRollback(code) && l.conflicts < maxConflicts: // a deadlock, or a replica's recovery conflict
		l.conflicts++
		w.again = append(w.again, l)
	case pgerrcode.IsTransactionRollback(code) || pgerrcode.IsInsufficientResources(code) || pgerrcode.IsOperatorIntervention(code):
		w.settle(l, ErrUnavailable)
	case shared: // one of them may be the cause
		l.alone = true
		w.again = append(w.again, l)
	default:
		w.settle(l, fmt.Errorf("look up in catalog.%s: %w", l.endpoint.table, err))
	}
}

// follow sends l again to the live endpoint of its name, after its table was dropped or changed.
func (w *worker) follow(l *lookup, err error) {
	live := w.follower.snapshot.Load().current(l.endpoint)
	if live == l.endpoint && w.refreshVersions() == nil { // the server may have a newer version
		live = w.follower.snapshot.Load().current(l.endpoint)
	}
	switch {
	case live == nil:
		w.settle(l, ErrNotFound)
	case live != l.endpoint:
		l.endpoint = live
		w.again = append(w.again, l)
	case w.known != nil && !w.known.has(l.endpoint): // the collection was dropped, or only another server has it
		w.again = append(w.again, l)
	case !l.retried && w.conn.deallocate(l.endpoint.statement(l.kind)) == nil:
		// The table is still live, so only the statement was out of date.
		l.retried = true
		w.again = append(w.again, l)
	default:
		w.settle(l, fmt.Errorf("look up in catalog.%s, named by the version row: %w", l.endpoint.table, err))
	}
}

// ids encodes the ids of members as a bigint array, in the format that appendArray describes.
func (a *arguments) ids(members []member) {
	start := len(a.buffer)
	for _, word := range [...]uint32{1, 0, pgtype.Int8OID, uint32(len(members)), 1} {
		a.buffer = binary.BigEndian.AppendUint32(a.buffer, word)
	}
	for _, member := range members {
		a.buffer = binary.BigEndian.AppendUint32(a.buffer, 8)
		a.buffer = binary.BigEndian.AppendUint64(a.buffer, uint64(member.id))
	}
	a.from(start)
}

// texts encodes the ids of members as a text array, in the format that appendArray describes.
func (a *arguments) texts(members []member) {
	start := len(a.buffer)
	for _, word := range [...]uint32{1, 0, pgtype.TextOID, uint32(len(members)), 1} {
		a.buffer = binary.BigEndian.AppendUint32(a.buffer, word)
	}
	for _, member := range members {
		a.buffer = binary.BigEndian.AppendUint32(a.buffer, uint32(len(member.text)))
		a.buffer = append(a.buffer, member.text...)
	}
	a.from(start)
}
