//! One method for each operation.

use chrono::{DateTime, SecondsFormat, Utc};
use reqwest::Method;
use sg_types::{
    AgentId, IncidentStatus, KeyId, Liveness, Severity, ThreatId, UserId,
    api::{
        Page,
        agents::{CoverageGapView, EndpointView, EventsReport},
        audit::AuditEventView,
        monitoring::Overview,
        threats::{AddNote, IncidentDetail, IncidentView, TimelineEntry, UpdateIncident},
        users::{
            ApiKeyCreated, ApiKeyView, CreateApiKey, CreateUser, CurrentSession, RotateApiKey, UserCreated,
            UserView,
        },
    },
};

use crate::{Client, ClientError};

const NOTHING: Option<&()> = None;

/// Which incidents to list.
#[derive(Debug, Clone, Default)]
pub struct IncidentFilter {
    /// Any of these; all when empty.
    pub statuses: Vec<IncidentStatus>,
    /// Any of these; all when empty.
    pub severities: Vec<Severity>,
    /// On this endpoint.
    pub agent_id: Option<AgentId>,
    /// With this text in title, path, process, command line or hash.
    pub search: Option<String>,
}

/// Which audit entries to list.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    /// What was done.
    pub action: Option<String>,
    /// To what kind of object.
    pub object_kind: Option<String>,
    /// To which object.
    pub object_id: Option<String>,
}

/// Where events come from.
#[derive(Debug, Clone, Default)]
pub struct EventSource {
    /// The log source's name.
    pub name: String,
    /// Sigma's `product` of events that do not say it.
    pub product: Option<String>,
    /// Sigma's `category` of events that do not say it.
    pub category: Option<String>,
    /// Sigma's `service` of events that do not say it.
    pub service: Option<String>,
}

impl EventSource {
    fn query(&self) -> Vec<(&'static str, String)> {
        let mut query = vec![("source", self.name.clone())];
        for (name, part) in [
            ("product", &self.product),
            ("category", &self.category),
            ("service", &self.service),
        ] {
            query.extend(part.clone().map(|part| (name, part)));
        }
        query
    }
}

impl IncidentFilter {
    fn query(&self) -> Vec<(&'static str, String)> {
        let mut query = Vec::new();
        if !self.statuses.is_empty() {
            query.push(("status", join(&self.statuses)));
        }
        if !self.severities.is_empty() {
            query.push(("severity", join(&self.severities)));
        }
        query.extend(self.agent_id.map(|id| ("agent_id", id.to_string())));
        query.extend(self.search.clone().map(|text| ("search", text)));
        query
    }
}

impl Client {
    /// Who the key belongs to, and where it works.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn current_session(&self) -> Result<CurrentSession, ClientError> {
        self.call(Method::GET, "sessions/current", &[], NOTHING).await
    }

    /// The state of the tenant at one glance.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn overview(&self) -> Result<Overview, ClientError> {
        self.call(Method::GET, "monitoring/overview", &[], NOTHING).await
    }

    /// Up to `limit` incidents, the newest first.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn list_incidents(
        &self,
        filter: &IncidentFilter,
        limit: usize,
    ) -> Result<Vec<IncidentView>, ClientError> {
        self.list("threats/incidents", filter.query(), limit).await
    }

    /// One incident with its evidence.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn find_incident(&self, id: ThreatId) -> Result<IncidentDetail, ClientError> {
        self.call(Method::GET, &format!("threats/incidents/{id}"), &[], NOTHING)
            .await
    }

    /// Changes status, assignee or notes of an incident.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn update_incident(
        &self,
        id: ThreatId,
        update: &UpdateIncident,
    ) -> Result<IncidentDetail, ClientError> {
        self.call(
            Method::PATCH,
            &format!("threats/incidents/{id}"),
            &[],
            Some(update),
        )
        .await
    }

    /// Adds a note to an incident.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn add_note(&self, id: ThreatId, text: &str) -> Result<TimelineEntry, ClientError> {
        let note = AddNote {
            text: text.to_owned(),
        };
        self.call(
            Method::POST,
            &format!("threats/incidents/{id}/notes"),
            &[],
            Some(&note),
        )
        .await
    }

    /// Sends events of a log source, one JSON object a line, at most 10,000. Under the same key the same lines are stored once.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn send_events(
        &self,
        source: &EventSource,
        idempotency_key: &str,
        lines: Vec<u8>,
    ) -> Result<EventsReport, ClientError> {
        self.send_lines("agents/events", &source.query(), idempotency_key, lines)
            .await
    }

    /// Up to `limit` endpoints; only those of these where some are named.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn list_endpoints(
        &self,
        liveness: &[Liveness],
        limit: usize,
    ) -> Result<Vec<EndpointView>, ClientError> {
        let words: Vec<&str> = liveness.iter().map(|one| one.as_str()).collect();
        let query = if words.is_empty() {
            Vec::new()
        } else {
            vec![("liveness", words.join(","))]
        };
        self.list("agents/endpoints", query, limit).await
    }

    /// Up to `limit` gaps of an endpoint that reach beyond `from`, those that began last first.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn list_coverage(
        &self,
        id: AgentId,
        from: DateTime<Utc>,
        limit: usize,
    ) -> Result<Vec<CoverageGapView>, ClientError> {
        let from = from.to_rfc3339_opts(SecondsFormat::Secs, true);
        self.list(
            &format!("agents/endpoints/{id}/coverage"),
            vec![("from", from)],
            limit,
        )
        .await
    }

    /// One endpoint.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn find_endpoint(&self, id: AgentId) -> Result<EndpointView, ClientError> {
        self.call(Method::GET, &format!("agents/endpoints/{id}"), &[], NOTHING)
            .await
    }

    /// Takes an endpoint out of service.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn decommission_endpoint(&self, id: AgentId) -> Result<EndpointView, ClientError> {
        self.call(
            Method::POST,
            &format!("agents/endpoints/{id}/decommission"),
            &[],
            NOTHING,
        )
        .await
    }

    /// Up to `limit` API keys.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn list_api_keys(&self, limit: usize) -> Result<Vec<ApiKeyView>, ClientError> {
        self.list("users/api-keys", Vec::new(), limit).await
    }

    /// Makes an API key.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn create_api_key(&self, key: &CreateApiKey) -> Result<ApiKeyCreated, ClientError> {
        self.call(Method::POST, "users/api-keys", &[], Some(key)).await
    }

    /// Puts a key with a new secret in the place of one of the caller's.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn rotate_api_key(
        &self,
        id: KeyId,
        rotation: &RotateApiKey,
    ) -> Result<ApiKeyCreated, ClientError> {
        self.call(
            Method::POST,
            &format!("users/api-keys/{id}/rotate"),
            &[],
            Some(rotation),
        )
        .await
    }

    /// Revokes an API key.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn revoke_api_key(&self, id: KeyId) -> Result<(), ClientError> {
        self.send(Method::DELETE, &format!("users/api-keys/{id}"), &[], NOTHING)
            .await
            .map(drop)
    }

    /// Up to `limit` people of the tenant.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn list_users(&self, limit: usize) -> Result<Vec<UserView>, ClientError> {
        self.list("users", Vec::new(), limit).await
    }

    /// Creates a person.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn create_user(&self, user: &CreateUser) -> Result<UserCreated, ClientError> {
        self.call(Method::POST, "users", &[], Some(user)).await
    }

    /// The person with this user name.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn find_user_by_name(&self, username: &str) -> Result<Option<UserId>, ClientError> {
        let people = self.list_users(usize::MAX).await?;
        Ok(people
            .into_iter()
            .find(|user| user.username.eq_ignore_ascii_case(username))
            .map(|user| user.user_id))
    }

    /// Up to `limit` entries of the audit log, the newest first.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn list_audit_events(
        &self,
        filter: &AuditFilter,
        limit: usize,
    ) -> Result<Vec<AuditEventView>, ClientError> {
        let query = [
            ("action", &filter.action),
            ("object_kind", &filter.object_kind),
            ("object_id", &filter.object_id),
        ];
        let query = query
            .into_iter()
            .filter_map(|(name, value)| Some((name, value.clone()?)))
            .collect();
        self.list("audit/events", query, limit).await
    }

    /// Follows the pages of a list until `limit` rows or its end.
    pub(crate) async fn list<T: serde::de::DeserializeOwned>(
        &self,
        path: &str,
        query: Vec<(&'static str, String)>,
        limit: usize,
    ) -> Result<Vec<T>, ClientError> {
        let mut rows = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let mut query = query.clone();
            query.push(("limit", (limit - rows.len()).min(500).to_string()));
            query.extend(cursor.take().map(|cursor| ("cursor", cursor)));
            let page: Page<T> = self.call(Method::GET, path, &query, NOTHING).await?;
            rows.extend(page.items);
            match page.next_cursor {
                Some(next) if rows.len() < limit => cursor = Some(next),
                _ => return Ok(rows),
            }
        }
    }
}

fn join<T: ToString>(values: &[T]) -> String {
    values
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(",")
}
