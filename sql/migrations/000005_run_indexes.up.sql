-- The cost of a request must not grow with the history: these indexes find the kept versions and the newest published one.
create index run_kept on catalog.run (collection, generation, id) where generation is not null;
create index run_published on catalog.run (collection, id) where state = 'published';
comment on index catalog.run_kept is 'The versions that are kept: few, however many runs there were.';
comment on index catalog.run_published is 'The runs that published.';
