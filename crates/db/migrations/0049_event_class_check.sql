-- no-transaction
-- On its own, since it reads every event; nobody who writes waits for it.
alter table agents.events validate constraint events_class_check;
