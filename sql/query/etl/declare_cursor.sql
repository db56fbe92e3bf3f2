declare :"cursor" binary no scroll cursor for
select "id", "etag"
from "catalog".:"table"
order by "id"
