-- Findings, the subjects by which they become one incident, and what happened to an incident.

-- One rule on one subject within one incident; repeats count up.
create table threats.findings (
    finding_id uuid primary key,
    tenant_id uuid not null,
    threat_id uuid not null,
    agent_id uuid not null,
    rule_id text not null,
    rule_name text not null,
    engine text not null,
    severity text not null,
    confidence numeric(3, 2) not null,
    tags text[] not null default '{}',
    explanation text not null,
    evidence jsonb not null,
    subject jsonb not null,
    -- Rule and subject in one value: the same rule on the same file or command counts up.
    fingerprint text not null,
    occurrence_count bigint not null default 1,
    first_seen_at timestamptz not null,
    last_seen_at timestamptz not null,
    constraint findings_threat_id_fingerprint_key unique (threat_id, fingerprint),
    constraint findings_engine_check check (engine in ('sigma', 'yara', 'indicator', 'server')),
    constraint findings_severity_check check (severity in ('low', 'medium', 'high', 'critical')),
    constraint findings_confidence_check check (confidence between 0 and 1),
    constraint findings_occurrence_count_check check (occurrence_count >= 1),
    constraint findings_threat_id_fkey foreign key (tenant_id, threat_id)
        references threats.incidents (tenant_id, threat_id) on delete cascade,
    constraint findings_agent_id_fkey foreign key (tenant_id, agent_id)
        references agents.endpoints (tenant_id, agent_id) on delete cascade
);
create index findings_tenant_id_threat_id_idx on threats.findings (tenant_id, threat_id);
create index findings_tenant_id_agent_id_idx on threats.findings (tenant_id, agent_id);
create index findings_tenant_id_rule_id_idx on threats.findings (tenant_id, rule_id, last_seen_at desc);

-- Every single match by the id that the agent gave it, so that one that comes again under a new epoch is known.
create table threats.occurrences (
    occurrence_id uuid primary key,
    tenant_id uuid not null,
    finding_id uuid not null references threats.findings (finding_id) on delete cascade,
    occurred_at timestamptz not null,
    received_at timestamptz not null
);
create index occurrences_finding_id_idx on threats.occurrences (finding_id);
create index occurrences_tenant_id_received_at_idx on threats.occurrences (tenant_id, received_at);

-- What an incident is about: a file, a process of the family, a command. A finding that shares one of them within the window joins the incident.
create table threats.incident_subjects (
    tenant_id uuid not null,
    agent_id uuid not null,
    subject_key text not null,
    threat_id uuid not null,
    last_seen_at timestamptz not null,
    constraint incident_subjects_pkey primary key (tenant_id, agent_id, subject_key),
    constraint incident_subjects_threat_id_fkey foreign key (tenant_id, threat_id)
        references threats.incidents (tenant_id, threat_id) on delete cascade,
    constraint incident_subjects_agent_id_fkey foreign key (tenant_id, agent_id)
        references agents.endpoints (tenant_id, agent_id) on delete cascade
);
create index incident_subjects_tenant_id_threat_id_idx on threats.incident_subjects (tenant_id, threat_id);

create table threats.incident_timeline (
    entry_id uuid primary key,
    tenant_id uuid not null,
    threat_id uuid not null,
    at timestamptz not null,
    kind text not null,
    actor_user_id uuid,
    actor_name text,
    summary text not null,
    detail jsonb not null default '{}'::jsonb,
    constraint incident_timeline_kind_check check (kind in ('finding', 'repeat', 'status', 'assignment', 'note')),
    constraint incident_timeline_threat_id_fkey foreign key (tenant_id, threat_id)
        references threats.incidents (tenant_id, threat_id) on delete cascade
);
create index incident_timeline_tenant_id_threat_id_at_idx on threats.incident_timeline (tenant_id, threat_id, at);

-- The rule sets that this installation has handed out, newest version last. An agent refuses a version older than its own.
create table threats.rule_packages (
    version bigint primary key,
    digest bytea not null,
    created_at timestamptz not null,
    constraint rule_packages_version_check check (version > 0),
    constraint rule_packages_digest_check check (length(digest) = 32)
);
