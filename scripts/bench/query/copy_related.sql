copy :"schema".related (id, product_id, related_id) from stdin (format csv, header, null 'null')
