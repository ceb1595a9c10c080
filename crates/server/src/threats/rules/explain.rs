//! Why a rule does or does not match an event.

use sg_db::threats::{self as db, StoredEvent};
use sg_detect::{Event, Explanation};
use sg_types::agent::Event as RecordedEvent;
use sg_types::api::rules::{ExplainRule, RuleExplanation, RuleExplanationCheck, RuleExplanationSelection};
use sg_types::{Permission, RuleKind};

use super::{inspect::inspect, list, placeholders};
use crate::AppState;
use crate::auth::Acting;
use crate::error::{ApiError, ApiResult};

/// Patterns that the sentence names; the rest stands below it.
const MAX_REASONS: usize = 3;

pub(super) async fn explain(
    state: &AppState,
    acting: &Acting,
    body: ExplainRule,
) -> ApiResult<RuleExplanation> {
    let (name, text) = match (body.rule_id, body.text) {
        (None, Some(text)) => ("rule".to_owned(), text),
        (Some(rule_id), None) => {
            let found = list::show(state, acting, &rule_id).await?;
            let text = found.text.filter(|_| found.rule.kind == RuleKind::Sigma);
            let text = text.ok_or_else(|| {
                ApiError::invalid_field("rule_id", "is no Sigma rule, and only those look at events")
            })?;
            (rule_id, text)
        }
        _ => {
            return Err(ApiError::invalid_field(
                "rule_id",
                "is needed, or a text; and not both",
            ));
        }
    };
    let event = match (body.event_id, body.event) {
        (None, Some(event)) => event,
        (Some(event_id), None) => {
            require_events(acting)?;
            let mut tx = state.db.read(&acting.caller, state.now()).await?;
            let found = db::find_event(&mut tx, event_id).await?;
            found
                .and_then(recorded)
                .ok_or_else(|| ApiError::invalid_field("event_id", "is no event that you may see"))?
        }
        _ => {
            return Err(ApiError::invalid_field(
                "event",
                "is needed, or an event_id; and not both",
            ));
        }
    };
    let own = placeholders::own(state, acting).await?;
    let explained = state
        .rules
        .run(move || {
            let new = inspect(RuleKind::Sigma, &name, &text, &own)?;
            let id = new.rules.rules().first().map(|rule| rule.id.clone());
            Ok::<_, super::inspect::Refused>(
                id.and_then(|id| new.rules.explain(&id, &Event::from(&event)))
                    .map(view),
            )
        })
        .await??;
    explained.ok_or_else(|| {
        ApiError::invalid_field(
            "text",
            "is a filter or a correlation, and neither matches an event by itself",
        )
    })
}

/// What endpoints observed is shown to whoever may see endpoints.
pub(super) fn require_events(acting: &Acting) -> ApiResult<()> {
    if acting.caller.may(Permission::EndpointsRead) {
        return Ok(());
    }
    Err(ApiError::missing_permission(Permission::EndpointsRead))
}

/// The event that agents sent, if its details are whole.
pub(crate) fn recorded(event: StoredEvent) -> Option<RecordedEvent> {
    let mut detail = event.detail;
    detail
        .as_object_mut()?
        .insert("kind".to_owned(), event.kind.into());
    serde_json::from_value(detail).ok()
}

fn view(explanation: Explanation) -> RuleExplanation {
    RuleExplanation {
        summary: summarize(&explanation),
        rule_id: explanation.rule.id.clone(),
        name: explanation.rule.title.clone(),
        matched: explanation.matched,
        log_source_applies: explanation.log_source_applies,
        condition: explanation.condition,
        selections: explanation
            .selections
            .into_iter()
            .map(|selection| RuleExplanationSelection {
                name: selection.name,
                matched: selection.matched,
                checks: selection
                    .checks
                    .into_iter()
                    .map(|check| RuleExplanationCheck {
                        field: check.field,
                        pattern: check.pattern,
                        value: check.value,
                        matched: check.matched,
                    })
                    .collect(),
            })
            .collect(),
    }
}

/// What matched, or what it was that did not.
fn summarize(explanation: &Explanation) -> String {
    if !explanation.log_source_applies {
        return "The rule is for events of another log source.".to_owned();
    }
    let wanted = explanation.matched;
    let (mut reasons, mut left) = (Vec::new(), 0);
    for selection in explanation.selections.iter().filter(|one| one.matched == wanted) {
        for check in selection.checks.iter().filter(|check| check.matched == wanted) {
            if reasons.len() == MAX_REASONS {
                left += 1;
                continue;
            }
            let field = check.field.as_deref().unwrap_or("a value");
            let value = check
                .value
                .as_deref()
                .map_or("is absent".to_owned(), |value| format!("is '{value}'"));
            reasons.push(if wanted {
                format!("{field} {} ({})", check.pattern, selection.name)
            } else {
                format!(
                    "{field} {value}, asked is: {} ({})",
                    check.pattern, selection.name
                )
            });
        }
    }
    let more = if left > 0 {
        format!("; and {left} more")
    } else {
        String::new()
    };
    match (wanted, reasons.is_empty()) {
        (true, true) => "It matches: the event lacks what the rule excludes.".to_owned(),
        (true, false) => format!("It matches: {}{more}.", reasons.join("; ")),
        (false, true) => "It does not match: what the rule excludes is there.".to_owned(),
        (false, false) => format!("It does not match: {}{more}.", reasons.join("; ")),
    }
}
