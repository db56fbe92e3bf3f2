copy :"schema".product (id, name, slogan, description, category, default_price) from stdin (format csv, header, null 'null')
