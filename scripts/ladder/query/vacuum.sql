-- So that neither an automatic vacuum nor hint bits that a first read sets belong to a measurement.
vacuum (analyze)
