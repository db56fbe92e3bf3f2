copy :"schema".skus (id, style_id, size, quantity) from stdin (format csv, header, null 'null')
