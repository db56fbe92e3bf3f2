copy :"schema".styles (id, product_id, name, sale_price, original_price, default_style) from stdin (format csv, header, null 'null')
