-- Keys that enrol a limited number of endpoints, and keys that take another's place.

alter table users.api_keys
    add column max_enrolments bigint,
    add column enrolments bigint not null default 0,
    add column replaces_key_id uuid,
    add constraint api_keys_max_enrolments_check check (max_enrolments > 0) not valid,
    add constraint api_keys_enrolments_check check (enrolments >= 0 and (max_enrolments is null or enrolments <= max_enrolments)) not valid,
    add constraint api_keys_replaces_key_id_fkey foreign key (tenant_id, replaces_key_id)
        references users.api_keys (tenant_id, key_id) on delete set null (replaces_key_id) not valid;
alter table users.api_keys validate constraint api_keys_max_enrolments_check;
alter table users.api_keys validate constraint api_keys_enrolments_check;
alter table users.api_keys validate constraint api_keys_replaces_key_id_fkey;
create index api_keys_tenant_id_replaces_key_id_idx on users.api_keys (tenant_id, replaces_key_id);

comment on column users.api_keys.max_enrolments is 'How many enrolments the key is good for; null: any number.';
comment on column users.api_keys.enrolments is 'How many enrolments were made with the key; counted exactly, in the transaction of each.';
comment on column users.api_keys.replaces_key_id is 'The key whose place this one took.';

grant select (max_enrolments, enrolments, replaces_key_id) on users.api_keys to sg_app;
-- Rotation brings the end of the key before forward. No request moves an end back or wakes a revoked key: what a person was told is over stays over.
grant update (expires_at) on users.api_keys to sg_app;
create function users.keep_key_ended() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    if current_user = 'sg_app' and (
        (new.is_active and not old.is_active)
        or coalesce(new.expires_at, 'infinity') > coalesce(old.expires_at, 'infinity'))
    then
        raise exception 'an API key that is revoked or ends is not brought back' using errcode = 'insufficient_privilege';
    end if;
    return new;
end
$$;
comment on function users.keep_key_ended() is 'Trigger: a request neither revives a revoked key nor moves the end of one back.';
revoke all on function users.keep_key_ended() from public;
create trigger keep_key_ended before update on users.api_keys for each row execute function users.keep_key_ended();
