select count(*) from "catalog".:"table"
