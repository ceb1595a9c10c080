-- The document's second step: incidents.

create table if not exists threats.incidents (
    threat_id uuid primary key default gen_random_uuid(),
    agent_id uuid not null references agents.endpoints (agent_id),
    threat_type varchar(100) not null,
    severity varchar(20) not null check (severity in ('low', 'medium', 'high', 'critical')),
    status varchar(20) default 'new' check (status in ('new', 'investigating', 'resolved', 'false_positive')),
    title varchar(255) not null,
    description text,
    file_path text,
    process_name varchar(255),
    command_line text,
    hash varchar(128),
    detection_engine varchar(50),
    confidence_score decimal(3, 2),
    false_positive_likelihood decimal(3, 2),
    assigned_to uuid references users.users (user_id),
    resolved_by uuid references users.users (user_id),
    resolution_notes text,
    detected_at timestamptz not null default now(),
    resolved_at timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

create index if not exists idx_threats_agent_id on threats.incidents (agent_id);
create index if not exists idx_threats_severity on threats.incidents (severity);
create index if not exists idx_threats_status on threats.incidents (status);
create index if not exists idx_threats_detected_at on threats.incidents (detected_at);
