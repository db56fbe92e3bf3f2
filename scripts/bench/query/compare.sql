-- The number of documents in each table, the number of documents in a sample, and the number of these that differ.
select (select count(*) from :"schema".:"ours"),
       (select count(*) from :"their schema".:"theirs"),
       count(*),
       count(*) filter (where ours.body is distinct from theirs.body)
from (select id, body from :"schema".:"ours" where id % $1 = 0) ours
full join (select id, body from :"their schema".:"theirs" where id % $1 = 0) theirs on theirs.id = ours.id
