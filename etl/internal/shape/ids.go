package shape

// IDParts returns the number of parts of the items' ids, the columns of the root source's key, and 0 for ids that are integers. See
// sql.Endpoint.
func (s *Shape) IDParts() int {
	root := &s.Sources[0]
	if len(root.Key) == 1 && root.Columns[root.Key[0]].Type == Int {
		return 0
	}
	return len(root.Key)
}
