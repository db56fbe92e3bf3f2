package shape

// The keywords of the shape file. shapes/schema.json describes the same ones, which a test checks.
var (
	shapeKeywords   = []string{"collection", "dialect", "sources", "documents"}
	dialectKeywords = []string{
		"delimiter", "null", "encoding", "numbers", "quotes", "header", "records", "short_rows", "trim_spaces", "close_quotes", "final_newline",
	}
	sourceKeywords   = []string{"file", "dialect", "key", "parent", "on", "one_to_one", "columns", "repairs", "filters", "final_newline", "rows", "root"}
	columnKeywords   = []string{"type", "null", "numbers", "format"}
	numbersKeywords  = []string{"decimal", "thousands", "currency"}
	repairKeywords   = []string{"column", "prefix", "with"}
	filterKeywords   = []string{"column", "drop", "keep"}
	testKeywords     = []string{"not", "below", "at_most", "above", "at_least", "matches"}
	endpointKeywords = []string{"list", "path", "body"}
	eachKeywords     = []string{keywordEach, "as", "keyed", "where", "order", "limit", "empty"}
	oneKeywords      = []string{keywordOne, "as", "where", "order", "empty"}
	splitKeywords    = []string{keywordSplit, "at", "as"}
	arrayKeywords    = []string{keywordArray, "nulls"}
	joinKeywords     = []string{keywordJoin, "with"}
	lookupKeywords   = []string{keywordLookup, "by", "as", "empty", "required"}

	columnLookupKeywords = []string{keywordLookup, "by", "show", "required"}
)

// Keywords of a body. An object with a field of such a name is written {object: {...}}. text is a cast here, and a type among the
// columns.
const (
	keywordEach     = "each"
	keywordText     = "text"
	keywordObject   = "object"
	keywordConstant = "constant"
	keywordArray    = "array"
	keywordJoin     = "join"
	keywordOne      = "one"
	keywordSplit    = "split"
	keywordLookup   = "lookup"
	keywordCount    = "count"
	keywordSum      = "sum"
	keywordMin      = "min"
	keywordMax      = "max"
	keywordAverage  = "average"
	keywordCounts   = "counts"
)

// formKeywords are the settings of each keyword of a body.
var formKeywords = map[string][]string{
	keywordEach:     eachKeywords,
	keywordText:     {keywordText},
	keywordObject:   {keywordObject},
	keywordConstant: {keywordConstant},
	keywordArray:    arrayKeywords,
	keywordJoin:     joinKeywords,
	keywordOne:      oneKeywords,
	keywordSplit:    splitKeywords,
	keywordLookup:   lookupKeywords,
	keywordCount:    {keywordCount, "where"},
	keywordSum:      {keywordSum, "of", "where", "round"},
	keywordMin:      {keywordMin, "of", "where", "round"},
	keywordMax:      {keywordMax, "of", "where", "round"},
	keywordAverage:  {keywordAverage, "of", "where", "round"},
	keywordCounts:   {keywordCounts, "of", "where"},
}
