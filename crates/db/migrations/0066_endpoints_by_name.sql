-- The list of endpoints stands in the order of their names, of which a page needs fifty and not all that a tenant has.
create index endpoints_tenant_id_hostname_idx on agents.endpoints (tenant_id, lower(hostname::text), agent_id);
