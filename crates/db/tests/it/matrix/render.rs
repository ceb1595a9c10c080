//! The matrix as text: one line for each relation, role and context, or for each outcome of a function; what is the same shares a line.

use std::{collections::BTreeMap, fmt};

use super::{Cell, Cells, Line, Matrix};

const LEGEND: &str = "\
own/other  rows of the context's tenant, and others, that the statement saw or changed
-          refused: insufficient privilege or row security (42501); another code stands for itself
insert     of a copy of a row of the own tenant, then of another one's; . where there is no such row
functions  called with a null for each argument
";

impl fmt::Display for Matrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(LEGEND)?;
        for ((object, kind), lines) in &self.lines {
            writeln!(f, "\n{object} ({kind})")?;
            if *kind == "function" {
                write_function(f, lines)?;
                continue;
            }
            let mut refused = Vec::new();
            let mut roles: Vec<&str> = lines.iter().map(|(role, _, _)| *role).collect();
            roles.dedup();
            for role in roles {
                let of_role: Vec<_> = lines.iter().filter(|(name, _, _)| *name == role).collect();
                if of_role.iter().all(|(_, _, cells)| is_refused(cells)) {
                    refused.push(role);
                } else {
                    write_role(f, role, &of_role)?;
                }
            }
            if !refused.is_empty() {
                writeln!(f, "  refused everything: {}", refused.join(" "))?;
            }
        }
        Ok(())
    }
}

/// A function has one cell for each role and context: roles with the same outcome share a line.
fn write_function(f: &mut fmt::Formatter<'_>, lines: &[Line]) -> fmt::Result {
    let mut outcomes: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (role, context, cells) in lines {
        let outcome = cells.iter().map(|(_, cell)| show(cell)).collect();
        let same_always = lines
            .iter()
            .filter(|(name, _, _)| name == role)
            .all(|(_, _, other)| other == cells);
        let who = if same_always {
            (*role).to_owned()
        } else {
            format!("{role} with {}", context.label())
        };
        let known = outcomes.entry(outcome).or_default();
        if known.last() != Some(&who) {
            known.push(who);
        }
    }
    for (outcome, who) in outcomes {
        writeln!(f, "  {outcome:<6} {}", who.join(" "))?;
    }
    Ok(())
}

fn write_role(f: &mut fmt::Formatter<'_>, role: &str, lines: &[&Line]) -> fmt::Result {
    let mut distinct: Vec<(Vec<&'static str>, &Cells)> = Vec::new();
    for (_, context, cells) in lines {
        match distinct.iter_mut().find(|(_, known)| *known == cells) {
            Some((labels, _)) => labels.push(context.label()),
            None => distinct.push((vec![context.label()], cells)),
        }
    }
    let always = distinct.len() == 1;
    for (labels, cells) in distinct {
        let label = if always {
            "always".to_owned()
        } else {
            labels.join(", ")
        };
        let mut text = String::new();
        let mut last = "";
        for (operation, cell) in cells {
            if *operation == last {
                text.push_str(&format!(" {}", show(cell)));
            } else {
                text.push_str(&format!("  {operation} {}", show(cell)));
            }
            last = operation;
        }
        writeln!(f, "  {role:<10} {label:<22}{text}")?;
    }
    Ok(())
}

fn is_refused(cells: &Cells) -> bool {
    cells
        .iter()
        .all(|(_, cell)| matches!(cell, Cell::NoRow) || *cell == Cell::Refused("42501".to_owned()))
}

fn show(cell: &Cell) -> String {
    match cell {
        Cell::Refused(code) if code == "42501" => "-".to_owned(),
        Cell::Refused(code) => code.clone(),
        Cell::Rows { own, other } => format!("{own}/{other}"),
        Cell::Ran => "ok".to_owned(),
        Cell::NoRow => ".".to_owned(),
    }
}
