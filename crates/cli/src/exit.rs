//! With which code the program ends, so that a pipeline need not read words.

use std::process::ExitCode;

use sg_client::ClientError;

/// Nobody has signed in, or not to what is asked for.
#[derive(Debug)]
pub(crate) struct NotSignedIn(pub(crate) String);

impl std::fmt::Display for NotSignedIn {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&self.0)
    }
}

impl std::error::Error for NotSignedIn {}

/// 1: anything else. 2 is clap's, for a command line that is none. 3: not signed in, or not allowed. 4: there is no such thing.
/// 5: something else stands in its way, or it was changed meanwhile. 6: no answer. 7: not now; it may be tried again.
pub(crate) fn code(error: &anyhow::Error) -> ExitCode {
    ExitCode::from(number(error))
}

/// Whether the same may go well a little later.
pub(crate) fn may_be_repeated(error: &anyhow::Error) -> bool {
    matches!(number(error), 6 | 7)
}

fn number(error: &anyhow::Error) -> u8 {
    if error.is::<NotSignedIn>() {
        return 3;
    }
    match error
        .chain()
        .find_map(|cause| cause.downcast_ref::<ClientError>())
    {
        Some(ClientError::Unreachable { .. }) => 6,
        Some(ClientError::Refused(problem)) => match problem.status {
            401 | 403 => 3,
            404 => 4,
            409 | 412 => 5,
            429 | 500.. => 7,
            _ => 1,
        },
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn a_pipeline_can_tell_what_went_wrong() {
        let unreachable = ClientError::Unreachable {
            server: "https://guard.example".into(),
            reason: "refused".into(),
        };
        let wrapped = Err::<(), _>(unreachable).context("while watching").unwrap_err();
        assert_eq!(number(&wrapped), 6);
        assert_eq!(number(&NotSignedIn("no".into()).into()), 3);
        assert_eq!(number(&anyhow::anyhow!("other")), 1);
        for (status, code) in [
            (401, 3),
            (403, 3),
            (404, 4),
            (409, 5),
            (412, 5),
            (422, 1),
            (429, 7),
            (503, 7),
        ] {
            let problem: sg_types::Problem = serde_json::from_value(serde_json::json!({
                "type": "about:blank", "title": "t", "status": status, "code": "c", "detail": "d",
            }))
            .unwrap();
            assert_eq!(
                number(&ClientError::Refused(Box::new(problem)).into()),
                code,
                "{status}"
            );
        }
    }
}
