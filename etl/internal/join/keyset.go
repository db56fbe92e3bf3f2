package join

// keySet is the set of the keys of a file so far.
type keySet[K int64 | string] interface {
	// add adds a key, and reports whether it is known that the set contained it. full means that the key could not be added, or may have
	// been there.
	add(key K) (found, full bool)

	// suspect reports whether a key that add has not found may have been there all the same. The next join with the same Keys knows. It is
	// called for a key that is not larger than those of the items before.
	suspect(key K) bool

	// clear removes all keys, which no later key is the same as.
	clear()

	// err returns the reason why the set is full; nil if a join with recorded keys has room.
	err() error

	// finish reports at the end of the file whether the set contained some of the keys, contrary to what add reported. The next join with
	// the same Keys knows them.
	finish() (repeated bool, err error)

	// close frees the disk space.
	close()
}
