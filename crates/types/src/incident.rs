//! The life of an incident.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::values::text_enum;

/// Where an incident stands (`threats.incidents.status`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum IncidentStatus {
    /// Nobody has looked at it.
    New,
    /// Somebody works on it.
    Investigating,
    /// Closed: it was real and is dealt with.
    Resolved,
    /// Closed: it was no threat.
    FalsePositive,
}
text_enum!(IncidentStatus {
    New => "new", Investigating => "investigating", Resolved => "resolved", FalsePositive => "false_positive",
});

/// A change of status that the workflow does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an incident that is `{from}` cannot become `{to}`")]
pub struct InvalidTransition {
    /// The status before.
    pub from: IncidentStatus,
    /// The status that was asked for.
    pub to: IncidentStatus,
}

impl IncidentStatus {
    /// Whether work on the incident has ended.
    pub const fn is_closed(self) -> bool {
        matches!(self, Self::Resolved | Self::FalsePositive)
    }

    /// The statuses that may follow this one.
    ///
    /// `new → investigating | resolved | false_positive`, `investigating → new | resolved | false_positive`,
    /// and a closed incident re-opens as `investigating` only, so that every verdict was somebody's decision.
    pub const fn successors(self) -> &'static [Self] {
        match self {
            Self::New => &[Self::Investigating, Self::Resolved, Self::FalsePositive],
            Self::Investigating => &[Self::New, Self::Resolved, Self::FalsePositive],
            Self::Resolved | Self::FalsePositive => &[Self::Investigating],
        }
    }

    /// Checks a change of status. Staying where it is, is allowed and changes nothing.
    ///
    /// # Errors
    /// [`InvalidTransition`] when the workflow does not have this step.
    pub fn check_transition(self, to: Self) -> Result<(), InvalidTransition> {
        if self == to || self.successors().contains(&to) {
            Ok(())
        } else {
            Err(InvalidTransition { from: self, to })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::IncidentStatus::{FalsePositive, Investigating, New, Resolved};
    use super::*;

    #[test]
    fn the_workflow_is_exactly_this_table() {
        let allowed = [
            (New, Investigating),
            (New, Resolved),
            (New, FalsePositive),
            (Investigating, New),
            (Investigating, Resolved),
            (Investigating, FalsePositive),
            (Resolved, Investigating),
            (FalsePositive, Investigating),
        ];
        for from in IncidentStatus::ALL {
            for to in IncidentStatus::ALL {
                let expected = from == to || allowed.contains(&(*from, *to));
                assert_eq!(from.check_transition(*to).is_ok(), expected, "{from} → {to}");
            }
        }
    }
}
