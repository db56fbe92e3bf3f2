copy :"schema".features (id, product_id, feature, value) from stdin (format csv, header, null 'null')
