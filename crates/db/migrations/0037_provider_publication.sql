-- The sign-in page is common to all tenants. What a tenant's administrator puts there, by listing a provider or by naming an e-mail domain, meets other
-- tenants' people too, so it counts once the operator of the installation has agreed. Until then the provider signs in whoever has its own link.

alter table users.identity_providers add column is_published boolean not null default false;
alter table users.provider_domains add column is_published boolean not null default false;

-- What is shown today goes on.
update users.identity_providers set is_published = true where is_listed;
update users.provider_domains set is_published = true;

-- A name that is only claimed keeps nobody else from claiming it; published it leads to one provider.
alter table users.provider_domains
    drop constraint provider_domains_pkey,
    add constraint provider_domains_pkey primary key (tenant_id, provider_id, domain);
drop index users.provider_domains_tenant_id_provider_id_idx;
create unique index provider_domains_domain_key on users.provider_domains (domain) where is_published;

comment on column users.identity_providers.is_published is
    'Whether the operator agreed to the provider being listed; until then it is not, whatever is_listed says.';
comment on column users.provider_domains.is_published is
    'Whether the operator agreed and the domain leads to its provider; of one name only one does.';
