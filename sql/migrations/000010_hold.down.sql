-- Earlier builds know no holds: their runs publish.
drop table catalog.hold;
