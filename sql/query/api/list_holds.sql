select "collection", "reason", "author", "since"
from "catalog"."hold"
