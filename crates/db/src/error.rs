//! What can go wrong at the database, sorted by what the caller can do about it.

use sqlx::error::{DatabaseError, ErrorKind};
use sqlx::postgres::{PgDatabaseError, PgSeverity};

/// A failure of the database or of what was asked of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DbError {
    /// A unique constraint refused: something of that name exists.
    #[error("a row with this value exists already (constraint {constraint})")]
    AlreadyExists {
        /// The constraint's name.
        constraint: String,
    },
    /// A foreign key refused: what was pointed at does not exist in this tenant.
    #[error("a referenced row does not exist (constraint {constraint})")]
    MissingReference {
        /// The constraint's name.
        constraint: String,
    },
    /// A check or not-null constraint refused the value.
    #[error("a value is outside what the table allows (constraint {constraint})")]
    InvalidValue {
        /// The constraint's name; empty where PostgreSQL names none.
        constraint: String,
    },
    /// Row security or a missing privilege refused.
    #[error("the database refused access")]
    Denied,
    /// The proof of the caller no longer holds: the session ended, the key was revoked, the membership expired.
    #[error("the session, key or membership is no longer valid")]
    ContextRefused,
    /// A limit of the tenant's subscription would have been exceeded (SQLSTATE SG001); nothing was stored.
    #[error("the subscription allows {limit} {resource}, and {used} are in use")]
    LimitReached {
        /// What is limited: `endpoints` or `users`.
        resource: String,
        /// How many are allowed.
        limit: i64,
        /// How many there are without the refused ones.
        used: i64,
    },
    /// The subscription is in a state in which nothing can be added (SQLSTATE SG002).
    #[error("the subscription is {status}, so that nothing can be added")]
    SubscriptionEnded {
        /// The state's word.
        status: String,
    },
    /// A lock was not to be had in time, or two transactions stood in each other's way; trying again may help.
    #[error("the database was busy with a conflicting change")]
    Busy,
    /// The database cannot be reached, is starting up, or its pool is exhausted.
    #[error("the database is not available")]
    Unavailable(#[source] sqlx::Error),
    /// The migrations failed.
    #[error("the database could not be migrated")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// The schema is of a later release that this program does not understand.
    #[error("{0}")]
    TooNew(String),
    /// A value of the database that the program does not understand.
    #[error("the database holds an unexpected value: {0}")]
    Inconsistent(String),
    /// Anything else; a fault of the program.
    #[error("the database refused a statement")]
    Other(#[source] sqlx::Error),
}

impl DbError {
    /// Whether nothing is wrong with what was asked: the same may succeed at another time.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Busy | Self::Unavailable(_) => true,
            // Class XX: PostgreSQL found something wrong with itself or its files.
            Self::Other(sqlx::Error::Database(failure)) => {
                failure.code().is_some_and(|code| code.starts_with("XX"))
            }
            _ => false,
        }
    }
}

impl From<sqlx::Error> for DbError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(failure) => {
                let constraint = failure.constraint().unwrap_or_default().to_owned();
                match (failure.kind(), failure.code().as_deref()) {
                    (ErrorKind::UniqueViolation, _) => Self::AlreadyExists { constraint },
                    (ErrorKind::ForeignKeyViolation, _) => Self::MissingReference { constraint },
                    (ErrorKind::CheckViolation | ErrorKind::NotNullViolation, _) => {
                        Self::InvalidValue { constraint }
                    }
                    // Class 22: data exceptions, such as a text too long or a number out of range.
                    (_, Some(code)) if code.starts_with("22") => Self::InvalidValue { constraint },
                    (_, Some("42501")) => Self::Denied,
                    (_, Some("SG001")) => read_limit(failure.as_ref()).unwrap_or_else(|| Self::Other(error)),
                    (_, Some("SG002")) => Self::SubscriptionEnded {
                        status: detail_of(failure.as_ref()).unwrap_or_default().to_owned(),
                    },
                    // Serialization failure, deadlock, lock not available, statement timeout.
                    (_, Some("40001" | "40P01" | "55P03" | "57014")) => Self::Busy,
                    // Class 08: connection; 57P: shutdown and start-up; 53: out of resources; 58: input and output; 25006: a server that is no primary
                    // any more, or not yet.
                    (_, Some(code))
                        if ["08", "57P", "53", "58"]
                            .iter()
                            .any(|class| code.starts_with(class))
                            || code == "25006"
                            || ends_session(failure.as_ref(), code) =>
                    {
                        Self::Unavailable(error)
                    }
                    _ => Self::Other(error),
                }
            }
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => Self::Unavailable(error),
            _ => Self::Other(error),
        }
    }
}

impl From<sg_types::UnknownValue> for DbError {
    fn from(error: sg_types::UnknownValue) -> Self {
        Self::Inconsistent(error.to_string())
    }
}

/// Whether PostgreSQL gave the session up, for whatever reason but who it is for and what it is to.
fn ends_session(failure: &dyn DatabaseError, code: &str) -> bool {
    let severity = failure
        .try_downcast_ref::<PgDatabaseError>()
        .map(PgDatabaseError::severity);
    matches!(severity, Some(PgSeverity::Fatal | PgSeverity::Panic))
        && !["28", "3D"].iter().any(|class| code.starts_with(class))
}

fn detail_of(failure: &dyn DatabaseError) -> Option<&str> {
    failure.try_downcast_ref::<PgDatabaseError>()?.detail()
}

/// The figures of a refusal by `users.check_subscription`.
fn read_limit(failure: &dyn DatabaseError) -> Option<DbError> {
    let detail: serde_json::Value = serde_json::from_str(detail_of(failure)?).ok()?;
    Some(DbError::LimitReached {
        resource: detail["resource"].as_str()?.to_owned(),
        limit: detail["limit"].as_i64()?,
        used: detail["used"].as_i64()?,
    })
}
