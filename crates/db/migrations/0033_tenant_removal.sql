-- A tenant that is to go is suspended first and erased later, so that a mistake can be taken back.
alter table users.tenants add column erase_at timestamptz;
alter table users.tenants add constraint tenants_erase_at_check check (erase_at is null or status <> 'active' and isfinite(erase_at)) not valid;
alter table users.tenants validate constraint tenants_erase_at_check;
comment on column users.tenants.erase_at is 'When everything of a suspended tenant is erased; null for never.';
