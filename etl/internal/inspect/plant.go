package inspect

import (
	"cmp"
	"errors"
	"slices"

	"systemscale/etl/internal/source"
)

// plant chooses the root: the file that most others refer to, directly or not, if its items are not too large for documents.
func (in *inspection) plant(wanted string) (*tree, error) {
	var best *tree
	for _, t := range in.tables {
		if t.canBeRoot() != "" || wanted == "" && in.lists[t] || wanted != "" && t.text.Name != wanted && t.source != wanted {
			continue
		}
		tr := in.grow(t)
		if best == nil || cmp.Or(compareBool(tr.itemSize() <= largeItem, best.itemSize() <= largeItem), cmp.Compare(len(tr.order), len(best.order)),
			cmp.Compare(tr.namesakes(), best.namesakes()),
			cmp.Compare(len(tr.root.columns), len(best.root.columns)),
			cmp.Compare(tr.root.rows, best.root.rows)) > 0 {
			best = tr
		}
	}
	if best == nil && len(in.lists) > 0 {
		in.lists = nil
		return in.plant(wanted)
	}
	if best == nil {
		return nil, in.noRoot(wanted)
	}
	best.files = len(best.order)
	best.addBelow()
	best.fit()
	for _, t := range best.order {
		best.lookUp(t, best.nestedIn(t))
	}
	return best, nil
}

// noRoot explains that no file can be the root.
func (in *inspection) noRoot(wanted string) error {
	var errs []error
	for _, t := range slices.Concat(in.tables, in.left) {
		if wanted != "" && t.text.Name != wanted && t.source != wanted {
			continue
		}
		problem := t.problem
		if problem == "" {
			problem = "its rows cannot be the items: " + t.canBeRoot()
		}
		errs = append(errs, &source.FileError{File: t.text.Name, Message: problem})
	}
	if len(errs) == 0 {
		return &source.FileError{File: in.options.Directory, Message: "there is no file " + wanted}
	}
	return errors.Join(errs...)
}
