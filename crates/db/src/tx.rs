//! The three kinds of transaction. Dropping any of them rolls back.

use sg_types::TenantId;
use sqlx::{PgConnection, Postgres, Transaction};
use tracing::Span;

use crate::{
    DbError,
    audit::{self, AuditEvent},
};

/// The span of a transaction, from the wait for its connection to its end, for traces. `reason` is ours, never a caller's.
pub(crate) fn span(kind: &'static str, reason: &'static str) -> Span {
    tracing::info_span!(target: "secureguard::trace", "transaction", otel.kind = "client", db.system.name = "postgresql", kind, reason)
}

mod sealed {
    use sqlx::PgConnection;

    pub trait Connection: Send {
        fn conn(&mut self) -> &mut PgConnection;

        /// For how many days the tenant keeps its time series; none across tenants. A statement that is bound to it leaves the partitions of
        /// other classes alone.
        fn retention_class(&self) -> Option<i16>;
    }
}
pub(crate) use sealed::Connection;

/// A transaction that queries can read in.
pub trait Reads: sealed::Connection {}

/// A transaction that queries can write in.
pub trait Writes: Reads {}

/// A read-only snapshot of one tenant.
#[derive(Debug)]
pub struct ReadTx {
    transaction: Transaction<'static, Postgres>,
    _span: Span,
    retention_class: Option<i16>,
}

/// A change within one tenant; ends with [`WriteTx::commit`].
#[derive(Debug)]
pub struct WriteTx {
    transaction: Transaction<'static, Postgres>,
    _span: Span,
    tenant_id: TenantId,
    retention_class: Option<i16>,
}

/// Work that crosses tenants: sign-in, ingest, jobs.
#[derive(Debug)]
pub struct SystemTx(Transaction<'static, Postgres>, Span);

impl ReadTx {
    pub(crate) fn new(
        transaction: Transaction<'static, Postgres>,
        span: Span,
        retention_class: Option<i16>,
    ) -> Self {
        Self {
            transaction,
            _span: span,
            retention_class,
        }
    }
}

impl WriteTx {
    pub(crate) fn new(
        transaction: Transaction<'static, Postgres>,
        span: Span,
        tenant_id: TenantId,
        retention_class: Option<i16>,
    ) -> Self {
        Self {
            transaction,
            _span: span,
            tenant_id,
            retention_class,
        }
    }

    /// Commits together with the event that says who did what.
    ///
    /// # Errors
    /// Those of the insert and of the commit; nothing is stored then.
    pub async fn commit(mut self, event: AuditEvent) -> Result<(), DbError> {
        let tenant_id = self.tenant_id;
        audit::insert_event(self.conn(), tenant_id, &event).await?;
        Ok(self.transaction.commit().await?)
    }
}

impl SystemTx {
    pub(crate) fn new(transaction: Transaction<'static, Postgres>, span: Span) -> Self {
        Self(transaction, span)
    }

    /// Commits together with the event that says who did what, in the tenant that it concerns ([`TenantId::SYSTEM`] for none).
    ///
    /// # Errors
    /// Those of the insert and of the commit; nothing is stored then.
    pub async fn commit(mut self, tenant_id: TenantId, event: AuditEvent) -> Result<(), DbError> {
        audit::insert_event(self.conn(), tenant_id, &event).await?;
        Ok(self.0.commit().await?)
    }

    /// Adds an audit event without ending the transaction, where one transaction concerns several tenants.
    ///
    /// # Errors
    /// Those of the insert.
    pub async fn record(&mut self, tenant_id: TenantId, event: &AuditEvent) -> Result<(), DbError> {
        audit::insert_event(self.conn(), tenant_id, event).await
    }

    /// Commits telemetry or upkeep, which carries no audit event: what machines report and what jobs keep true is nobody's act.
    ///
    /// # Errors
    /// Those of the commit; nothing is stored then.
    pub async fn commit_upkeep(self) -> Result<(), DbError> {
        Ok(self.0.commit().await?)
    }
}

impl Connection for ReadTx {
    fn conn(&mut self) -> &mut PgConnection {
        &mut self.transaction
    }

    fn retention_class(&self) -> Option<i16> {
        self.retention_class
    }
}

impl Connection for WriteTx {
    fn conn(&mut self) -> &mut PgConnection {
        &mut self.transaction
    }

    fn retention_class(&self) -> Option<i16> {
        self.retention_class
    }
}

impl Connection for SystemTx {
    fn conn(&mut self) -> &mut PgConnection {
        &mut self.0
    }

    fn retention_class(&self) -> Option<i16> {
        None
    }
}

/// A read that is not narrowed to a tenant by row security: each query has to name whose rows it wants.
impl From<SystemTx> for ReadTx {
    fn from(tx: SystemTx) -> Self {
        Self::new(tx.0, tx.1, None)
    }
}

impl Reads for ReadTx {}
impl Reads for WriteTx {}
impl Reads for SystemTx {}
impl Writes for WriteTx {}
impl Writes for SystemTx {}
