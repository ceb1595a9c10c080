//! The two pools, and the only place where a transaction begins.

use std::time::Duration;

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use sg_types::{Scope, TenantId};
use sqlx::{
    Connection as _, PgPool, Postgres, Row, Transaction,
    postgres::{PgConnectOptions, PgListener, PgPoolOptions},
};
use uuid::Uuid;

use crate::{Caller, DbError, Proof, ReadTx, SystemTx, WriteTx, tx::span};

/// How long an idle connection counts as alive without being asked.
const TRUSTED_IDLE: Duration = Duration::from_secs(1);

/// Where the database is and how much of it to use.
#[derive(Debug, Clone)]
pub struct DbConfig {
    /// libpq URI that connects as `sg_app`.
    pub app_url: SecretString,
    /// libpq URI that connects as `sg_system`.
    pub system_url: SecretString,
    /// Connections of the request pool at most, 1 or more.
    pub app_connections: u32,
    /// Connections of the system pool at most, 2 or more: one may listen for notifications.
    pub system_connections: u32,
    /// How long to wait for a connection before [`DbError::Unavailable`].
    pub acquire_timeout: Duration,
    /// How long one statement may run before [`DbError::Busy`].
    pub statement_timeout: Duration,
}

impl DbConfig {
    /// Sizes for one small machine: 16 + 8 connections, 5 s to get one, 30 s for a statement.
    pub fn new(app_url: SecretString, system_url: SecretString) -> Self {
        Self {
            app_url,
            system_url,
            app_connections: 16,
            system_connections: 8,
            acquire_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(30),
        }
    }
}

/// Which pool a figure is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolUse {
    /// Connections that are open.
    pub open: u32,
    /// Of those, waiting for work.
    pub idle: u32,
}

/// What a pool's role can do that it must not be able to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleCheck {
    /// The role's name.
    pub role: String,
    /// Why the server must not run as it; none when it may.
    pub problem: Option<String>,
}

/// The database as the server sees it. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Db {
    pub(crate) app: PgPool,
    pub(crate) system: PgPool,
}

impl Db {
    /// Prepares the pools; connections are made when they are needed.
    ///
    /// # Errors
    /// [`DbError::Other`] when a URL cannot be parsed.
    pub fn connect_lazy(config: &DbConfig) -> Result<Self, DbError> {
        Ok(Self {
            app: pool(config, &config.app_url, config.app_connections, "secureguard")?,
            system: pool(
                config,
                &config.system_url,
                config.system_connections,
                "secureguard-system",
            )?,
        })
    }

    /// Tells who holds `proof` and may work in `tenant` (their home, or a key's own tenant, when none is named). None when nobody does.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] and what else a query may meet.
    pub async fn authenticate(
        &self,
        proof: Proof,
        tenant: Option<TenantId>,
        at: DateTime<Utc>,
    ) -> Result<Option<Caller>, DbError> {
        let row = sqlx::query(
            "select tenant_id, user_id, username, full_name, role, home_tenant_id, credential_id, scopes, must_change_password, based_on,
                scope, permissions
             from users.authenticate($1, $2, $3, $4)",
        )
        .bind(proof.kind())
        .bind(proof.hash())
        .bind(tenant.map(Uuid::from))
        .bind(at)
        .fetch_optional(&self.app)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let scopes: Option<Vec<String>> = row.try_get("scopes")?;
        let permissions: Vec<String> = row.try_get("permissions")?;
        Ok(Some(Caller {
            proof,
            tenant_id: TenantId(row.try_get("tenant_id")?),
            user_id: row.try_get::<Uuid, _>("user_id")?.into(),
            username: row.try_get("username")?,
            full_name: row.try_get("full_name")?,
            role: row.try_get::<String, _>("role")?.parse()?,
            based_on: row.try_get::<String, _>("based_on")?.parse()?,
            scope: row.try_get::<String, _>("scope")?.parse()?,
            // A word that a newer program knows allows nothing here.
            permissions: permissions.iter().filter_map(|word| word.parse().ok()).collect(),
            home_tenant_id: TenantId(row.try_get("home_tenant_id")?),
            credential_id: row.try_get("credential_id")?,
            scopes: scopes
                .map(|words| words.iter().map(|word| word.parse()).collect::<Result<_, _>>())
                .transpose()?,
            must_change_password: row.try_get("must_change_password")?,
        }))
    }

    /// Begins a read-only transaction in the caller's tenant.
    ///
    /// # Errors
    /// [`DbError::ContextRefused`] when the caller's proof no longer holds.
    pub async fn read(&self, caller: &Caller, at: DateTime<Utc>) -> Result<ReadTx, DbError> {
        let statement = match caller.scope {
            Scope::Tenant => "begin isolation level repeatable read read only",
            Scope::Own => "begin isolation level repeatable read read only; set local role sg_app_own",
        };
        let span = span("read", "");
        let mut transaction = begin(&self.app, statement).await?;
        let retention_class = open_context(&mut transaction, caller, at).await?;
        Ok(ReadTx::new(transaction, span, retention_class))
    }

    /// Begins a transaction in the caller's tenant.
    ///
    /// # Errors
    /// [`DbError::ContextRefused`] when the caller's proof no longer holds.
    pub async fn write(&self, caller: &Caller, at: DateTime<Utc>) -> Result<WriteTx, DbError> {
        let statement = match caller.scope {
            Scope::Tenant => "begin",
            Scope::Own => "begin; set local role sg_app_own",
        };
        let span = span("write", "");
        let mut transaction = begin(&self.app, statement).await?;
        let retention_class = open_context(&mut transaction, caller, at).await?;
        Ok(WriteTx::new(transaction, span, caller.tenant_id, retention_class))
    }

    /// Begins a transaction that crosses tenants. `reason` says which job needs that.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] and what else a query may meet.
    pub async fn system(&self, reason: &'static str) -> Result<SystemTx, DbError> {
        tracing::trace!(reason, "system transaction begins");
        let span = span("system", reason);
        Ok(SystemTx::new(begin(&self.system, "begin").await?, span))
    }

    /// Begins a read-only snapshot that crosses tenants. `reason` says which job needs that.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] and what else a query may meet.
    pub async fn system_snapshot(&self, reason: &'static str) -> Result<SystemTx, DbError> {
        tracing::trace!(reason, "system snapshot begins");
        let begin_statement = "begin isolation level repeatable read read only";
        let span = span("system", reason);
        Ok(SystemTx::new(begin(&self.system, begin_statement).await?, span))
    }

    /// Listens for notifications on `channel`. The listener has a connection of its own, so that the pool's are all for work, and reconnects by itself.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] when no connection is to be had.
    pub async fn listen(&self, channel: &str) -> Result<PgListener, DbError> {
        let own = PgPoolOptions::new()
            .max_connections(1)
            .max_lifetime(None)
            .idle_timeout(None)
            .connect_lazy_with((*self.system.connect_options()).clone());
        let mut listener = PgListener::connect_with(&own).await?;
        listener.listen(channel).await?;
        Ok(listener)
    }

    /// Whether the database answers, PL/pgSQL included: after a minor upgrade under a running server, functions fail while plain queries still work.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] and what else the query met.
    pub async fn ping(&self) -> Result<(), DbError> {
        let context: Option<Uuid> = sqlx::query_scalar("select users.current_tenant()")
            .fetch_one(&self.app)
            .await?;
        if context.is_some() {
            return Err(DbError::Inconsistent(
                "a tenant context is open outside a transaction".to_owned(),
            ));
        }
        sqlx::query("select users.current_tenant()")
            .execute(&self.system)
            .await?;
        Ok(())
    }

    /// For how long the statement has been running that has run longest for a request; a role sees its own statements only.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] and what else the query met.
    pub async fn longest_request_statement(&self) -> Result<Duration, DbError> {
        let seconds: f64 = sqlx::query_scalar(
            "select coalesce(max(extract(epoch from clock_timestamp() - a.query_start)), 0)::float8
             from pg_stat_activity a
             where a.usename = current_user and a.datname = current_database() and a.state = 'active' and a.pid <> pg_backend_pid()",
        )
        .fetch_one(&self.app)
        .await?;
        Ok(Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or_default())
    }

    /// Checks that neither pool's role could bypass row security or owns tables.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] and what else the query met.
    pub async fn check_roles(&self) -> Result<Vec<RoleCheck>, DbError> {
        let mut checks = Vec::new();
        for (pool, expected) in [(&self.app, "sg_app"), (&self.system, "sg_system")] {
            let row = sqlx::query(
                "select current_user::text as role, r.rolsuper, r.rolbypassrls,
                    exists (select 1 from pg_class c join pg_namespace n on n.oid = c.relnamespace
                        where n.nspname in ('users', 'agents', 'threats', 'audit', 'monitoring') and c.relowner = r.oid) as owns,
                    pg_has_role(current_user, $1, 'USAGE') as expected
                 from pg_roles r where r.rolname = current_user",
            )
            .bind(expected)
            .fetch_one(pool)
            .await?;
            let problem = if row.try_get("rolsuper")? {
                Some("it is a superuser, which row security does not bind")
            } else if row.try_get("rolbypassrls")? {
                Some("it has BYPASSRLS, so row security does not bind it")
            } else if row.try_get("owns")? {
                Some("it owns tables, so it could switch row security off")
            } else if !row.try_get::<bool, _>("expected")? {
                Some("it is not the role that this connection is for")
            } else {
                None
            };
            checks.push(RoleCheck {
                role: row.try_get("role")?,
                problem: problem.map(|why| format!("{why} (expected {expected})")),
            });
        }
        Ok(checks)
    }

    /// Whether the event trigger is on that refuses functions without a fixed search path, the printed ones among them.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] and what else the query met.
    pub async fn has_contract_guard(&self) -> Result<bool, DbError> {
        Ok(sqlx::query_scalar(
            "select exists (select 1 from pg_event_trigger t
                where t.evtname = 'sg_refuse_loose_function' and t.evtenabled in ('O', 'A'))",
        )
        .fetch_one(&self.app)
        .await?)
    }

    /// How much of the request pool and of the system pool is in use.
    pub fn usage(&self) -> [PoolUse; 2] {
        [&self.app, &self.system].map(|pool| PoolUse {
            open: pool.size(),
            idle: u32::try_from(pool.num_idle()).unwrap_or(u32::MAX),
        })
    }

    /// Closes both pools; waits for the connections that are in use.
    pub async fn close(&self) {
        self.app.close().await;
        self.system.close().await;
    }
}

fn pool(config: &DbConfig, url: &SecretString, size: u32, name: &str) -> Result<PgPool, DbError> {
    let milliseconds = config.statement_timeout.as_millis().to_string();
    let options = url
        .expose_secret()
        .parse::<PgConnectOptions>()?
        .application_name(name)
        .options([
            ("statement_timeout", milliseconds.as_str()),
            ("lock_timeout", "5000"),
            ("idle_in_transaction_session_timeout", "60000"),
            ("timezone", "UTC"),
            // A statement holds only the conditions that were asked for, so that one plan fits all its parameters. Making a plan under row
            // security takes several times longer than running it.
            ("plan_cache_mode", "force_generic_plan"),
        ]);
    Ok(PgPoolOptions::new()
        .max_connections(size)
        .acquire_timeout(config.acquire_timeout)
        .idle_timeout(Duration::from_secs(600))
        // A connection that was used a moment ago is not asked whether it lives: that would be a round trip for each use of a busy one.
        .test_before_acquire(false)
        .before_acquire(|connection, standing| {
            Box::pin(async move {
                if standing.idle_for >= TRUSTED_IDLE {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
        .connect_lazy_with(options))
}

/// Begins in a task of its own: a request that is dropped half-way through a begin would otherwise leave its connection inside a
/// transaction, and the next borrower's statements would run in it.
#[expect(
    clippy::disallowed_methods,
    reason = "the only place that begins; a begin must not be cancelled"
)]
async fn begin(pool: &PgPool, statement: &'static str) -> Result<Transaction<'static, Postgres>, DbError> {
    let pool = pool.clone();
    let task = tokio::spawn(async move { pool.begin_with(statement).await });
    match task.await {
        Ok(result) => Ok(result?),
        Err(_) => Err(DbError::Unavailable(sqlx::Error::WorkerCrashed)),
    }
}

/// Opens the caller's tenant; returns the class of its time series.
async fn open_context(
    transaction: &mut Transaction<'static, Postgres>,
    caller: &Caller,
    at: DateTime<Utc>,
) -> Result<Option<i16>, DbError> {
    let (opened, retention_class): (Option<Uuid>, Option<i16>) =
        sqlx::query_as("select users.open_context($1, $2, $3, $4), users.current_retention_class()")
            .bind(caller.proof.kind())
            .bind(caller.proof.hash())
            .bind(Uuid::from(caller.tenant_id))
            .bind(at)
            .fetch_one(&mut **transaction)
            .await?;
    if opened == Some(caller.tenant_id.into()) {
        Ok(retention_class)
    } else {
        Err(DbError::ContextRefused)
    }
}
