//! One method for each operation on detection rules.

use reqwest::Method;
use sg_types::api::rules::{
    CreateRule, ExplainRule, ImportRules, PlaceholderView, RuleDetail, RuleExplanation, RuleImportReport,
    RuleOrigin, RuleTrial, RuleVersionDetail, RuleVersionView, RuleView, SetPlaceholder, TryRule, UpdateRule,
};
use sg_types::{RuleKind, Severity};

use crate::{Client, ClientError};

const NOTHING: Option<&()> = None;

/// Which rules to list.
#[derive(Debug, Clone, Default)]
pub struct RuleFilter {
    /// Any of these; all when empty.
    pub kinds: Vec<RuleKind>,
    /// Any of these; all when empty.
    pub severities: Vec<Severity>,
    /// Of the pack, or the tenant's own.
    pub origin: Option<RuleOrigin>,
    /// Switched on, or off.
    pub is_enabled: Option<bool>,
    /// With this text in name, id, description or tags.
    pub search: Option<String>,
}

impl RuleFilter {
    fn query(&self) -> Vec<(&'static str, String)> {
        let mut query = Vec::new();
        let words = |list: Vec<&str>| list.join(",");
        if !self.kinds.is_empty() {
            query.push((
                "kind",
                words(self.kinds.iter().map(|kind| kind.as_str()).collect()),
            ));
        }
        if !self.severities.is_empty() {
            query.push((
                "severity",
                words(self.severities.iter().map(|severity| severity.as_str()).collect()),
            ));
        }
        query.extend(self.origin.map(|origin| ("origin", origin.as_str().to_owned())));
        query.extend(self.is_enabled.map(|is| ("is_enabled", is.to_string())));
        query.extend(self.search.clone().map(|text| ("search", text)));
        query
    }
}

impl Client {
    /// Up to `limit` rules by their ids.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn list_rules(&self, filter: &RuleFilter, limit: usize) -> Result<Vec<RuleView>, ClientError> {
        self.list("threats/rules", filter.query(), limit).await
    }

    /// One rule with its text.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn find_rule(&self, rule_id: &str) -> Result<RuleDetail, ClientError> {
        self.call(Method::GET, &path_of(rule_id, ""), &[], NOTHING).await
    }

    /// Adds a rule of the tenant's own.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn create_rule(&self, rule: &CreateRule) -> Result<RuleDetail, ClientError> {
        self.call(Method::POST, "threats/rules", &[], Some(rule)).await
    }

    /// Gives a rule another text, or switches it.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn update_rule(&self, rule_id: &str, update: &UpdateRule) -> Result<RuleDetail, ClientError> {
        self.call(Method::PATCH, &path_of(rule_id, ""), &[], Some(update))
            .await
    }

    /// Removes a rule of the tenant's own.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn remove_rule(&self, rule_id: &str, reason: Option<&str>) -> Result<(), ClientError> {
        let query: Vec<_> = reason
            .map(|reason| ("reason", reason.to_owned()))
            .into_iter()
            .collect();
        self.send(Method::DELETE, &path_of(rule_id, ""), &query, NOTHING)
            .await?;
        Ok(())
    }

    /// The tenant's placeholders by name.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn list_placeholders(&self) -> Result<Vec<PlaceholderView>, ClientError> {
        self.list("threats/placeholders", Vec::new(), usize::MAX).await
    }

    /// Gives a placeholder its values.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn set_placeholder(
        &self,
        placeholder: &SetPlaceholder,
    ) -> Result<PlaceholderView, ClientError> {
        self.call(Method::POST, "threats/placeholders", &[], Some(placeholder))
            .await
    }

    /// Removes a placeholder.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn remove_placeholder(&self, name: &str) -> Result<(), ClientError> {
        let path = format!("threats/placeholders/{name}");
        self.send(Method::DELETE, &path, &[], NOTHING).await?;
        Ok(())
    }

    /// Up to `limit` versions of a rule, the latest first.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn list_rule_versions(
        &self,
        rule_id: &str,
        limit: usize,
    ) -> Result<Vec<RuleVersionView>, ClientError> {
        self.list(&path_of(rule_id, "/versions"), Vec::new(), limit).await
    }

    /// One version of a rule with the text that it had.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn find_rule_version(
        &self,
        rule_id: &str,
        version: i32,
    ) -> Result<RuleVersionDetail, ClientError> {
        let path = path_of(rule_id, &format!("/versions/{version}"));
        self.call(Method::GET, &path, &[], NOTHING).await
    }

    /// Takes in files of rules, at most 500 and within the size of a body.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn import_rules(&self, files: &ImportRules) -> Result<RuleImportReport, ClientError> {
        self.call(Method::POST, "threats/rules/imports", &[], Some(files))
            .await
    }

    /// Tries a rule on stored events.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn try_rule(&self, rule: &TryRule) -> Result<RuleTrial, ClientError> {
        self.call(Method::POST, "threats/rules/trials", &[], Some(rule))
            .await
    }

    /// Why a rule does or does not match an event.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn explain_rule(&self, question: &ExplainRule) -> Result<RuleExplanation, ClientError> {
        self.call(Method::POST, "threats/rules/explanations", &[], Some(question))
            .await
    }
}

/// Ids are texts of authors; in a path each of their bytes that means something there is escaped.
fn path_of(rule_id: &str, rest: &str) -> String {
    let mut path = String::from("threats/rules/");
    for byte in rule_id.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b':' => {
                path.push(byte.into())
            }
            _ => path.push_str(&format!("%{byte:02X}")),
        }
    }
    path + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_stays_one_part_of_the_path() {
        assert_eq!(
            path_of("indicators:a/b?c#ä%2f.csv", "/versions"),
            "threats/rules/indicators:a%2Fb%3Fc%23%C3%A4%252f.csv/versions"
        );
    }
}
