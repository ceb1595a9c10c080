-- Events are kept as long as the tenant's subscription says, as metrics are: agents.events becomes a table of classes. What is there stays in the class of
-- 30 days, as it was stored to expire.
alter table agents.events_held add column retention_class smallint not null default 30;
comment on column agents.events_held.retention_class is 'For how many days the event was kept before it was held.';
alter table agents.events add column retention_class smallint not null default 30;
comment on column agents.events.retention_class is 'For how many days the event is kept: what the tenant''s subscription said when it came.';
alter table agents.events add constraint events_class_check check (retention_class = 30) not valid;
