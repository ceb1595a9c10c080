-- The document's third step: whose endpoint it is.

alter table agents.endpoints add column if not exists user_id uuid references users.users (user_id);

create index if not exists idx_agents_user_id on agents.endpoints (user_id);
