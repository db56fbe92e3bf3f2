vacuum (analyze, index_cleanup off, truncate off) "catalog".:"table"
