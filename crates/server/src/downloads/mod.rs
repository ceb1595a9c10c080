//! The agent for machines that are to be watched, and the script that installs it.
//!
//! Both are public: they hold no secret. What vouches for them is the digest that a signed-in person is shown, which covers the script and by it
//! everything else.

mod offer;
mod routes;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

pub use offer::Offer;
pub use routes::{api_routes, public_routes};

use crate::error::ApiError;

/// What is offered, kept as long as the files stay what they are.
#[derive(Debug, Default)]
pub struct Downloads(Mutex<Option<Arc<Offer>>>);

impl Downloads {
    /// What the folder offers. `authority` is the PEM file of the authority that clients have to be told of.
    ///
    /// # Errors
    /// 404 `agent_not_offered` where the folder holds no agent.
    pub fn offer(
        &self,
        folder: &Path,
        url: &str,
        authority: Option<PathBuf>,
    ) -> Result<Arc<Offer>, ApiError> {
        let stamp = offer::stamp(folder, authority.as_deref());
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(offer) = kept.as_ref().filter(|offer| offer.stamp == stamp) {
            return Ok(offer.clone());
        }
        let offer = Arc::new(Offer::read(folder, url, authority.as_deref(), stamp)?);
        *kept = Some(offer.clone());
        Ok(offer)
    }
}
