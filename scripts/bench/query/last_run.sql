select id, mode from catalog.run where collection = $1 and state = 'published' order by id desc limit 1
