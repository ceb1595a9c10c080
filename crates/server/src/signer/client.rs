//! The server's side of the signer's socket: a connection for each question, so that a signer that was started anew is found again.

use std::path::PathBuf;
use std::time::Duration;

use sg_types::response::{Approval, SignedText};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;

use super::{Answer, Request};

/// How long the signer may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Bytes of an answer at most.
const MAX_ANSWER_BYTES: u64 = 1024 * 1024;

/// Asks the signer.
#[derive(Debug, Clone)]
pub struct SignerClient {
    socket: PathBuf,
}

/// Why there is no signature.
#[derive(Debug, thiserror::Error)]
pub enum SignerError {
    /// The signer does not answer.
    #[error("the signer of commands does not answer: {0}")]
    Away(String),
    /// It does not sign this.
    #[error("{0}")]
    Refused(String),
}

impl SignerClient {
    /// A client of the signer that listens there.
    pub fn new(socket: PathBuf) -> Self {
        Self { socket }
    }

    /// The key under which agents believe commands, in base64.
    ///
    /// # Errors
    /// [`SignerError`]
    pub async fn public_key(&self) -> Result<String, SignerError> {
        match self.ask(&Request::PublicKey).await? {
            Answer::PublicKey(key) => Ok(key),
            other => Err(SignerError::Away(format!("unexpected answer {other:?}"))),
        }
    }

    /// The signature under an order, with the key's id.
    ///
    /// # Errors
    /// [`SignerError`]
    pub async fn sign(
        &self,
        order_text: &str,
        approval: Option<&Approval>,
    ) -> Result<(SignedText, String), SignerError> {
        let request = Request::Sign {
            order_text: order_text.to_owned(),
            approval: approval.cloned(),
        };
        match self.ask(&request).await? {
            Answer::Signed { order, key_id } => Ok((order, key_id)),
            Answer::Refused(reason) => Err(SignerError::Refused(reason)),
            other => Err(SignerError::Away(format!("unexpected answer {other:?}"))),
        }
    }

    async fn ask(&self, request: &Request) -> Result<Answer, SignerError> {
        match tokio::time::timeout(PATIENCE, self.exchange(request)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(SignerError::Away(error.to_string())),
            Err(_) => Err(SignerError::Away("it took too long".to_owned())),
        }
    }

    async fn exchange(&self, request: &Request) -> std::io::Result<Answer> {
        let mut connection = UnixStream::connect(&self.socket).await?;
        let mut text = serde_json::to_string(request)?;
        text.push('\n');
        connection.write_all(text.as_bytes()).await?;
        let mut line = String::new();
        BufReader::new(connection.take(MAX_ANSWER_BYTES))
            .read_line(&mut line)
            .await?;
        Ok(serde_json::from_str(&line)?)
    }
}
