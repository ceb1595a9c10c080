//! From a check-in's body to its acknowledgement: bounded memory, cleaned records, many check-ins in one transaction.

mod body;
mod check_in;
mod clean;
mod known_tokens;
mod news;
mod queue;
mod record;
mod returns;
mod window;
mod worker;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use sg_db::agents::ingest::{NewCheckIn, Outcome};
use sg_db::agents::{find_agent, is_of_suspended_tenant};
use sg_db::{Db, DbError, SystemTx, TokenHash};
use sg_types::TenantId;
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore, oneshot};

use self::known_tokens::KnownTokens;
use self::news::News;
use self::queue::Fill;
use self::returns::Returns;
use self::window::Running;
use crate::config::IngestConfig;
use crate::error::ApiError;

pub use body::{Coding, read_body, read_bytes};
pub use check_in::parse_check_in;
pub(crate) use queue::{FairQueue, Full};
pub(crate) use record::clean_finding;
pub use worker::spawn;

/// Bodies of the largest size that may be in memory at the same time.
const LARGEST_BODIES: usize = 32;
/// The unit of the memory budget.
const BLOCK_BYTES: usize = 1024;

/// The queue in front of the group commit.
#[derive(Debug)]
pub struct Ingest {
    queue: FairQueue<Job>,
    /// One worker gathers a group at a time.
    gathering: Mutex<()>,
    memory: Arc<Semaphore>,
    known_tokens: KnownTokens,
    running: Running,
    waiting: AtomicUsize,
    news: News,
    /// Of those for whom there was no room, and of those whose tenant had its share.
    returns: Returns,
    returns_to_share: Returns,
}

/// A check-in that waits for its transaction.
#[derive(Debug)]
struct Job {
    tenant_id: TenantId,
    check_in: NewCheckIn,
    reply: oneshot::Sender<Result<Outcome, Failure>>,
}

/// Why a check-in was not stored.
#[derive(Debug)]
enum Failure {
    /// Nothing is wrong with it: it may come again.
    Unavailable,
    /// The database refuses its data, however it is cut.
    Refused(DbError),
}

impl Ingest {
    /// An empty queue of the configured size.
    pub fn new(config: &IngestConfig) -> Self {
        let blocks = (config.max_decompressed_bytes / BLOCK_BYTES + 1)
            .saturating_mul(LARGEST_BODIES)
            .min(Semaphore::MAX_PERMITS);
        Self {
            queue: FairQueue::new(config.concurrency),
            gathering: Mutex::default(),
            memory: Arc::new(Semaphore::new(blocks)),
            known_tokens: KnownTokens::default(),
            running: Running::default(),
            waiting: AtomicUsize::new(0),
            news: News::default(),
            returns: Returns::default(),
            returns_to_share: Returns::default(),
        }
    }

    /// Sets memory aside for a body.
    ///
    /// # Errors
    /// 503 when there is none left.
    pub fn reserve(&self, bytes: usize) -> Result<OwnedSemaphorePermit, ApiError> {
        let blocks = u32::try_from(bytes.div_ceil(BLOCK_BYTES).max(1)).unwrap_or(u32::MAX);
        self.memory
            .clone()
            .try_acquire_many_owned(blocks)
            .map_err(|_| self.refuse("memory"))
    }

    /// The tenant of a token; refuses one that stands for nobody before anything is read. A token that was good before passes; the transaction that stores its
    /// check-in looks again.
    ///
    /// # Errors
    /// 401; 403 `tenant_suspended`.
    pub async fn admit(&self, db: &Db, token: TokenHash) -> Result<TenantId, ApiError> {
        if let Some(tenant_id) = self.known_tokens.tenant_of(token) {
            return Ok(tenant_id);
        }
        let mut tx = db.system("agent's token").await?;
        let Some(agent) = find_agent(&mut tx, token).await? else {
            return Err(refuse_agent(&mut tx, token).await?);
        };
        self.known_tokens.add(token, agent.tenant_id);
        Ok(agent.tenant_id)
    }

    /// Check-ins that wait for the answer to whether they are stored.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Groups of them that are being written.
    pub fn running(&self) -> usize {
        self.running.count()
    }

    /// Stores a check-in together with others that arrive at the same time; returns after the commit, and tells an interval that is a fifth longer than the
    /// endpoint's own where half of the queue was taken, so that fewer come before any has to be refused. An endpoint that keeps to it still counts as
    /// online, which it does up to 1.25 intervals.
    ///
    /// # Errors
    /// 429 when the tenant has its share of the queue waiting; 503 when the queue is full or the database not available; 422 when the database refuses the data.
    pub async fn submit(&self, tenant_id: TenantId, check_in: NewCheckIn) -> Result<Outcome, ApiError> {
        let token = check_in.token;
        let (reply, answer) = oneshot::channel();
        let fill = self
            .queue
            .push(
                tenant_id,
                Job {
                    tenant_id,
                    check_in,
                    reply,
                },
            )
            .map_err(|full| match full {
                Full::Queue => self.refuse("queue"),
                Full::Share => self.refuse_share(),
            })?;
        let _waits = Waits::begin(&self.waiting);
        match answer.await {
            Ok(Ok(mut outcome)) => {
                match &mut outcome {
                    Outcome::UnknownToken => self.known_tokens.remove(token),
                    Outcome::Stored { check_in_seconds, .. } if fill == Fill::Half => {
                        *check_in_seconds += *check_in_seconds / 5;
                    }
                    Outcome::Stored { .. } | Outcome::Conflict => {}
                }
                Ok(outcome)
            }
            Ok(Err(Failure::Refused(error))) => Err(ApiError::new(
                axum::http::StatusCode::UNPROCESSABLE_ENTITY,
                "refused_check_in",
                "the check-in cannot be stored",
            )
            .because(error)),
            Ok(Err(Failure::Unavailable)) | Err(_) => Err(self.refuse("database")),
        }
    }

    fn note_stored(&self, count: usize) {
        self.returns.note_stored(count);
        self.returns_to_share.note_stored(count);
    }

    fn refuse(&self, reason: &'static str) -> ApiError {
        metrics::counter!("sg_ingest_refused_total", "reason" => reason).increment(1);
        ApiError::unavailable(self.returns.put_off())
    }

    /// Only this tenant is asked to wait.
    fn refuse_share(&self) -> ApiError {
        metrics::counter!("sg_ingest_refused_total", "reason" => "tenant").increment(1);
        ApiError::too_many_requests(self.returns_to_share.put_off())
    }
}

/// A check-in waits, until this is dropped.
struct Waits<'a>(&'a AtomicUsize);

impl<'a> Waits<'a> {
    fn begin(waiting: &'a AtomicUsize) -> Self {
        waiting.fetch_add(1, Ordering::Relaxed);
        Self(waiting)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Why a token is refused. An agent whose tenant is suspended keeps what it notices, and comes again; one that nobody knows has to enrol.
///
/// # Errors
/// 503 when the database is not available.
pub async fn refuse_agent(tx: &mut SystemTx, token: TokenHash) -> Result<ApiError, ApiError> {
    if !is_of_suspended_tenant(tx, token).await? {
        return Ok(ApiError::unauthenticated());
    }
    Ok(ApiError::forbidden(
        "tenant_suspended",
        "the tenant of this endpoint is suspended; keep the records and come again",
    ))
}
