-- Index-only scans need the visibility map. A transaction cannot run this.
vacuum (analyze) ladder.product, ladder.features, ladder.styles, ladder.photos, ladder.skus, ladder.related
