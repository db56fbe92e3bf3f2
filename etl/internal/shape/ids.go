package shape

// IDParts returns the number of parts of the items' ids, the columns of the root source's key, and 0 for ids that are integers. See
// sql.Endpoint.
func (s *Shape) IDParts() int {
	if root := &s.Sources[0]; root.KeyForm == IDKeys {
		return len(root.Key)
	}
	return 0
}
