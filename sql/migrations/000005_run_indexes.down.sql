drop index catalog.run_published;
drop index catalog.run_kept;
