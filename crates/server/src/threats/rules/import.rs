//! Taking in many files at once: each is judged by itself, and a repeat changes nothing.

use std::collections::HashSet;

use sg_db::threats::{lock_rules, renew_rule_set};
use sg_detect::Placeholders;
use sg_types::RuleKind;
use sg_types::api::rules::{
    ImportRules, RuleChange, RuleFile, RuleImportItem, RuleImportOutcome, RuleImportReport,
};

use super::inspect::{Inspected, Refused, inspect, refusal};
use super::pack::kind_of;
use super::placeholders;
use super::save::{Saving, Shelf, check_name, check_reason, require_manager};
use crate::AppState;
use crate::auth::Acting;
use crate::error::{ApiError, ApiResult};

/// Files of one request.
const MAX_FILES: usize = 500;

/// A text of the request, compiled.
struct Candidate {
    path: String,
    text: String,
    inspected: Result<Inspected, Refused>,
}

pub(super) async fn import(
    state: &AppState,
    acting: &Acting,
    body: ImportRules,
) -> ApiResult<RuleImportReport> {
    require_manager(acting)?;
    let reason = check_reason(body.reason.as_deref())?;
    if !(1..=MAX_FILES).contains(&body.files.len()) {
        return Err(ApiError::invalid_field(
            "files",
            format!("has 1–{MAX_FILES} entries"),
        ));
    }
    for file in &body.files {
        check_name("files.path", &file.path)?;
    }
    let rules = state.rules.current(state).await?.clone();
    let mut event = acting.event(state, "rule.import");
    let own = placeholders::own(state, acting).await?;
    let candidates = state
        .rules
        .run(move || {
            let texts = body.files.into_iter().flat_map(split);
            texts.map(|text| compile_one(text, &own)).collect::<Vec<_>>()
        })
        .await?;
    let tenant_id = acting.caller.tenant_id;
    let mut tx = state.db.system("rules of a tenant").await?;
    lock_rules(&mut tx, tenant_id).await?;
    let mut shelf = Shelf::load(&mut tx, tenant_id).await?;
    let saving = Saving {
        reason,
        by: acting.caller.user_id,
        at: event.at,
    };
    let on = body.is_enabled.unwrap_or(true);
    let mut report = RuleImportReport::default();
    let mut seen = HashSet::new();
    for candidate in candidates {
        let item = match judge(candidate, &shelf, &rules.pack, &mut seen) {
            Verdict::Settled(item) => item,
            Verdict::Save(mut item, text, new) => {
                let is_enabled = shelf.find(&new.rule_id).map_or(on, |stored| stored.is_enabled);
                let change = shelf
                    .save(&mut tx, tenant_id, &new, &text, is_enabled, saving)
                    .await?;
                if change == RuleChange::Update {
                    item.outcome = RuleImportOutcome::Updated;
                }
                item
            }
        };
        count(&mut report, item);
    }
    if body.dry_run || report.imported + report.updated == 0 {
        return Ok(report);
    }
    renew_rule_set(&mut tx, tenant_id, event.at).await?;
    event.object = Some((
        "rules",
        format!("{} imported, {} updated", report.imported, report.updated),
    ));
    event.reason = reason.map(str::to_owned);
    tx.commit(tenant_id, event).await?;
    Ok(report)
}

enum Verdict {
    Settled(RuleImportItem),
    Save(RuleImportItem, String, Box<Inspected>),
}

fn judge(candidate: Candidate, shelf: &Shelf, pack: &super::Pack, seen: &mut HashSet<String>) -> Verdict {
    let Candidate {
        path,
        text,
        inspected,
    } = candidate;
    let new = match inspected {
        Ok(new) => new,
        Err(refused) => {
            return Verdict::Settled(RuleImportItem {
                path,
                rule_id: refused.rule_id,
                name: None,
                outcome: RuleImportOutcome::Refused,
                diagnostics: refused.diagnostics,
            });
        }
    };
    let mut item = RuleImportItem {
        path,
        rule_id: Some(new.rule_id.clone()),
        name: Some(new.name.clone()),
        outcome: RuleImportOutcome::Imported,
        diagnostics: new.diagnostics.clone(),
    };
    if !seen.insert(new.rule_id.clone()) {
        item.outcome = RuleImportOutcome::Refused;
        let message = format!("another file of this import has the id `{}`.", new.rule_id);
        item.diagnostics.push(refusal("R004", None, message));
        return Verdict::Settled(item);
    }
    if shelf
        .find(&new.rule_id)
        .is_some_and(|stored| stored.digest.as_deref() == Some(new.digest.as_slice()))
    {
        item.outcome = RuleImportOutcome::Unchanged;
        return Verdict::Settled(item);
    }
    if let Some(conflict) = shelf.find_conflict(pack, &new) {
        item.outcome = RuleImportOutcome::Refused;
        item.diagnostics.push(conflict);
        return Verdict::Settled(item);
    }
    Verdict::Save(item, text, Box::new(new))
}

fn count(report: &mut RuleImportReport, item: RuleImportItem) {
    let counter = match item.outcome {
        RuleImportOutcome::Imported => &mut report.imported,
        RuleImportOutcome::Updated => &mut report.updated,
        RuleImportOutcome::Unchanged => &mut report.unchanged,
        RuleImportOutcome::Refused => &mut report.refused,
    };
    *counter += 1;
    report.items.push(item);
}

fn compile_one(
    (file, kind, first_line): (RuleFile, Option<RuleKind>, u32),
    placeholders: &Placeholders,
) -> Candidate {
    let path = file.path.trim().to_owned();
    let inspected = match kind {
        Some(kind) => inspect(kind, &path, &file.text, placeholders),
        None => Err(Refused {
            rule_id: None,
            diagnostics: vec![refusal(
                "R006",
                None,
                "the ending of the name tells no kind of rules: .yml, .yaml, .yar, .yara, .csv or .json.",
            )],
        }),
    };
    Candidate {
        path,
        text: file.text,
        inspected: shift(inspected, first_line),
    }
}

/// A file of several Sigma documents is as many rules. Each comes with its kind and the number of lines before it.
fn split(file: RuleFile) -> Vec<(RuleFile, Option<RuleKind>, u32)> {
    let kind = kind_of(file.path.trim().as_ref());
    let is_boundary = |line: &str| line.trim_end() == "---";
    if kind != Some(RuleKind::Sigma) || !file.text.lines().any(is_boundary) {
        return vec![(file, kind, 0)];
    }
    let mut documents: Vec<(String, u32)> = vec![(String::new(), 0)];
    for (number, line) in (0_u32..).zip(file.text.split_inclusive('\n')) {
        if is_boundary(line) {
            documents.push((String::new(), number + 1));
        } else if let Some((text, _)) = documents.last_mut() {
            text.push_str(line);
        }
    }
    documents.retain(|(text, _)| {
        text.lines()
            .any(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#'))
    });
    let several = documents.len() > 1;
    (1..)
        .zip(documents)
        .map(|(number, (text, before))| {
            let path = match (several, number) {
                (true, 2..) => format!("{}#{number}", file.path),
                _ => file.path.clone(),
            };
            (RuleFile { path, text }, kind, before)
        })
        .collect()
}

fn shift(mut inspected: Result<Inspected, Refused>, lines: u32) -> Result<Inspected, Refused> {
    let diagnostics = match &mut inspected {
        Ok(new) => &mut new.diagnostics,
        Err(refused) => &mut refused.diagnostics,
    };
    for diagnostic in diagnostics {
        diagnostic.line = diagnostic.line.map(|line| line + lines);
    }
    inspected
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<(String, String, u32)> {
        let file = RuleFile {
            path: "a.yml".to_owned(),
            text: text.to_owned(),
        };
        split(file)
            .into_iter()
            .map(|(file, _, before)| (file.path, file.text, before))
            .collect()
    }

    fn part(path: &str, text: &str, before: u32) -> (String, String, u32) {
        (path.to_owned(), text.to_owned(), before)
    }

    #[test]
    fn documents_of_a_file_are_rules_of_their_own_with_their_lines() {
        assert_eq!(texts("a: 1\n"), [part("a.yml", "a: 1\n", 0)]);
        assert_eq!(texts("---\na: 1\n"), [part("a.yml", "a: 1\n", 1)]);
        assert_eq!(
            texts("# head\n---\na: 1\n---\r\nb: 2"),
            [part("a.yml", "a: 1\n", 2), part("a.yml#2", "b: 2", 4)]
        );
        assert_eq!(texts("a: '\n  ---'\n").len(), 1, "an indented line is text");
    }

    #[test]
    fn a_name_without_a_known_ending_is_told() {
        let file = RuleFile {
            path: "README.md".to_owned(),
            text: String::new(),
        };
        let refused = compile_one((file, None, 0), &Placeholders::new())
            .inspected
            .unwrap_err();
        assert_eq!(refused.diagnostics[0].code, "R006");
    }
}
