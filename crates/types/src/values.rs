//! Enumerations that the database stores as text and the wire carries as lower-case words.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A word that none of the known values matches.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{value}` is not one of: {expected}")]
pub struct UnknownValue {
    /// The word that was given.
    pub value: String,
    /// The words that are known, separated by commas.
    pub expected: String,
}

/// Gives a field-less enum its text form in both directions.
macro_rules! text_enum {
    ($name:ident { $($variant:ident => $text:literal),+ $(,)? }) => {
        impl $name {
            /// Every value, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word that the database and the wire use.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text),+
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::values::UnknownValue;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::ALL
                    .iter()
                    .copied()
                    .find(|value| value.as_str() == text)
                    .ok_or_else(|| $crate::values::UnknownValue {
                        value: text.chars().take(64).collect(),
                        expected: Self::ALL.iter().map(|v| v.as_str()).collect::<Vec<_>>().join(", "),
                    })
            }
        }

        impl TryFrom<String> for $name {
            type Error = $crate::values::UnknownValue;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }
    };
}
pub(crate) use text_enum;

/// How bad an incident or a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing.
    Low,
    /// Look at it today.
    Medium,
    /// Look at it now.
    High,
    /// Somebody should be called.
    Critical,
}
text_enum!(Severity { Low => "low", Medium => "medium", High => "high", Critical => "critical" });

/// Which engine made a finding (`threats.incidents.detection_engine`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DetectionEngine {
    /// A Sigma rule on an event.
    Sigma,
    /// A YARA rule on a file's content.
    Yara,
    /// A known bad hash, name or address.
    Indicator,
    /// The server's own observation, such as a cloned agent identity.
    Server,
}
text_enum!(DetectionEngine { Sigma => "sigma", Yara => "yara", Indicator => "indicator", Server => "server" });

/// Who sends what is known of an endpoint (`agents.endpoints.kind`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EndpointKind {
    /// An agent on it.
    Agent,
    /// Something without an agent, whose log comes over the API.
    LogSource,
    /// The server itself.
    Server,
}
text_enum!(EndpointKind { Agent => "agent", LogSource => "log_source", Server => "server" });

/// What kind of rule a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RuleKind {
    /// A Sigma rule in YAML.
    Sigma,
    /// One or more YARA rules.
    Yara,
    /// A list of indicators.
    Indicator,
}
text_enum!(RuleKind { Sigma => "sigma", Yara => "yara", Indicator => "indicator" });

/// What an administrator decided about an endpoint (`agents.endpoints.status`); whether it is online is told by its heartbeats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EndpointStatus {
    /// Enrolled; its check-ins are taken.
    Active,
    /// Known but switched off by an administrator or by the document's own value; check-ins are taken.
    Inactive,
    /// Taken out of service; its token no longer works, its history stays.
    Decommissioned,
}
text_enum!(EndpointStatus { Active => "active", Inactive => "inactive", Decommissioned => "decommissioned" });

/// Whether an endpoint checks in as it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Liveness {
    /// It does.
    Online,
    /// Its check-in is late by more than a quarter of its interval.
    Stale,
    /// It has missed two check-ins while somebody was listening, or is out of service.
    Offline,
}
text_enum!(Liveness { Online => "online", Stale => "stale", Offline => "offline" });

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_value_agree_in_both_directions() {
        for severity in Severity::ALL {
            assert_eq!(severity.as_str().parse::<Severity>(), Ok(*severity));
            assert_eq!(serde_json::to_value(severity).unwrap(), severity.as_str());
        }
        assert_eq!(
            "worst".parse::<Severity>().unwrap_err().to_string(),
            "`worst` is not one of: low, medium, high, critical"
        );
    }

    #[test]
    fn severities_are_ordered() {
        assert!(Severity::Critical > Severity::High && Severity::Medium > Severity::Low);
    }
}
