vacuum (analyze, freeze, index_cleanup off, truncate off) "catalog".:"table"
