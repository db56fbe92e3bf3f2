copy ladder.rows (id, etag, body) from stdin (format binary)
