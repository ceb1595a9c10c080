//! What can go wrong with a call, in words that say what to do.

use reqwest::Url;
use sg_types::Problem;

/// A call that did not succeed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The address is not one.
    #[error("`{0}` is not a server address; give one like https://host:8443")]
    InvalidUrl(String),
    /// Plain HTTP to another machine would show the token to the network.
    #[error("`{0}` is plain HTTP to another machine, which would show your key to the network; use https")]
    PlainHttp(String),
    /// The certificate file holds no certificate.
    #[error("the certificate file holds no PEM certificate; give the server's ca.pem")]
    InvalidCertificate,
    /// No answer.
    #[error("no answer from {server}: {reason}")]
    Unreachable {
        /// The server's address.
        server: String,
        /// Why, the deepest cause last.
        reason: String,
    },
    /// The server said no, and why.
    #[error("{}", describe(.0))]
    Refused(Box<Problem>),
    /// The answer is not one of this API.
    #[error("the server's answer is not one of SecureGuard ({0}); is the address right?")]
    UnexpectedAnswer(String),
}

impl ClientError {
    pub(crate) fn unreachable(server: &Url, error: &reqwest::Error) -> Self {
        let mut reason = String::new();
        let mut cause: Option<&dyn std::error::Error> = std::error::Error::source(error);
        while let Some(present) = cause {
            reason = present.to_string();
            cause = present.source();
        }
        if reason.is_empty() {
            reason = if error.is_timeout() {
                "timed out".to_owned()
            } else {
                error.to_string()
            };
        }
        Self::Unreachable {
            server: server.to_string(),
            reason,
        }
    }

    /// The stable code of a refusal.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused(problem) => Some(&problem.code),
            _ => None,
        }
    }
}

fn describe(problem: &Problem) -> String {
    let mut text = format!("{} ({})", problem.detail, problem.code);
    for error in &problem.errors {
        let line = error
            .line
            .map(|line| format!("line {line}: "))
            .unwrap_or_default();
        let code = error
            .code
            .as_ref()
            .map(|code| format!("{code}: "))
            .unwrap_or_default();
        text.push_str(&format!("\n  {}: {line}{code}{}", error.field, error.message));
    }
    text
}
