copy :"schema".photos (id, style_id, url, thumbnail_url) from stdin (format csv, header, null 'null')
