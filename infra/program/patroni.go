package program

// Patroni holds the paths of the programs that Patroni needs beside PostgreSQL.
type Patroni struct {
	Patroni, Ctl, Etcd string
}

// FindPatroni returns the Patroni and the etcd in PATH.
func FindPatroni() (found Patroni, err error) {
	for _, one := range []struct {
		path *string
		name string
	}{{&found.Patroni, "patroni"}, {&found.Ctl, "patronictl"}, {&found.Etcd, "etcd"}} {
		if *one.path, err = FindInPath(one.name); err != nil {
			return Patroni{}, err
		}
	}
	return found, nil
}
