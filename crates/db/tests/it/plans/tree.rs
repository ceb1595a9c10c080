//! A plan, reduced to what says how a query is answered.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::Value;

/// A table with fewer rows may be read whole; a partition of a day that has hardly begun too.
const MANY: f64 = 500.0;

/// A node of a plan with what is below it.
#[derive(Debug)]
pub(super) struct Plan {
    kind: String,
    relation: Option<String>,
    index: Option<String>,
    /// The name of an init plan or subplan, without its number.
    role: Option<&'static str>,
    loops: f64,
    /// Rows that it looked at, in all loops.
    rows: f64,
    pruned: bool,
    children: Vec<Plan>,
}

impl Plan {
    pub(super) fn read(node: &Value) -> Self {
        let word = |key: &str| node[key].as_str().map(str::to_owned);
        let number = |key: &str| node[key].as_f64().unwrap_or_default();
        Self {
            kind: match (word("Node Type"), word("Scan Direction").as_deref()) {
                (Some(kind), Some("Backward")) => format!("{kind} Backward"),
                (kind, _) => kind.unwrap_or_default(),
            },
            relation: word("Relation Name").map(|name| without_date(&name)),
            index: word("Index Name").map(|name| without_date(&name)),
            role: match node["Parent Relationship"].as_str() {
                Some("InitPlan") => Some("InitPlan"),
                Some("SubPlan") => Some("SubPlan"),
                _ => None,
            },
            loops: number("Actual Loops"),
            rows: number("Actual Loops") * (number("Actual Rows") + number("Rows Removed by Filter")),
            pruned: node["Subplans Removed"]
                .as_u64()
                .is_some_and(|removed| removed > 0),
            children: node["Plans"]
                .as_array()
                .into_iter()
                .flatten()
                .map(Self::read)
                .collect(),
        }
    }

    /// What is wrong with it: a large table read from end to end, a context verified more than once, more partitions or
    /// rows looked at than allowed.
    pub(super) fn complaints(&self, large: &[&str], partitions: usize, rows: f64) -> Vec<String> {
        let mut complaints = Vec::new();
        self.visit(&mut |node| {
            let relation = node.relation.as_deref().unwrap_or_default();
            if node.kind == "Seq Scan"
                && large.iter().any(|name| is_part_of(relation, name))
                && node.rows > MANY
            {
                complaints.push(format!("reads all {} rows of {relation}", node.rows));
            }
            if node.kind != "Seq Scan" && node.relation.is_some() && node.rows > rows {
                complaints.push(format!("reads {} rows of {relation} to show a page", node.rows));
            }
            if node.role == Some("InitPlan") && node.loops > 1.0 {
                complaints.push(format!("evaluates an init plan {} times", node.loops));
            }
            if node.role == Some("SubPlan") && node.kind == "Result" && node.loops > 1.0 {
                complaints.push(format!("evaluates {} {} times", node.kind, node.loops));
            }
        });
        let mut seen = 0;
        self.visit(&mut |node| {
            let of_partition = node
                .relation
                .as_deref()
                .is_some_and(|name| name.ends_with("YYYYMMDD") || name.ends_with("_default"));
            if of_partition && node.loops > 0.0 {
                seen += 1;
            }
        });
        if seen > partitions {
            complaints.push(format!("looks into {seen} partitions"));
        }
        complaints
    }

    fn visit(&self, look: &mut impl FnMut(&Self)) {
        look(self);
        for child in &self.children {
            child.visit(look);
        }
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, depth: usize) -> fmt::Result {
        let role = self.role.map(|role| format!("{role}: ")).unwrap_or_default();
        let index = self
            .index
            .as_ref()
            .map(|name| format!(" by {name}"))
            .unwrap_or_default();
        let relation = self
            .relation
            .as_ref()
            .map(|name| format!(" on {name}"))
            .unwrap_or_default();
        let pruned = if self.pruned { " (others pruned)" } else { "" };
        writeln!(
            f,
            "{}{role}{}{relation}{index}{pruned}",
            "  ".repeat(depth + 1),
            self.kind
        )?;
        // Partitions that are read alike are told once, and those without rows not at all: both depend on the day.
        let appends = matches!(self.kind.as_str(), "Append" | "Merge Append");
        let idle = |child: &Self| appends && child.role.is_none() && child.total_rows() == 0.0;
        let all_idle = self.children.iter().all(idle);
        let mut told = BTreeSet::new();
        for child in &self.children {
            if (all_idle || !idle(child)) && (!appends || told.insert(child.shape())) {
                f.write_str(&child.text(depth + 1))?;
            }
        }
        Ok(())
    }

    fn total_rows(&self) -> f64 {
        self.rows + self.children.iter().map(Self::total_rows).sum::<f64>()
    }

    /// The nodes that bring the rows, without what is evaluated beside them.
    fn shape(&self) -> String {
        let below: String = self
            .children
            .iter()
            .filter(|child| child.role.is_none())
            .map(Self::shape)
            .collect();
        format!("{} {:?} {:?} ({below})", self.kind, self.relation, self.index)
    }

    fn text(&self, depth: usize) -> String {
        struct At<'a>(&'a Plan, usize);
        impl fmt::Display for At<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.write(f, self.1)
            }
        }
        At(self, depth).to_string()
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, 0)
    }
}

fn is_part_of(relation: &str, table: &str) -> bool {
    relation == table || relation.starts_with(&format!("{table}_"))
}

/// The name of a partition or of its index, with `YYYYMMDD` for the date.
fn without_date(name: &str) -> String {
    let mut parts: Vec<&str> = name.split('_').collect();
    for part in &mut parts {
        if part.len() == 8 && part.bytes().all(|byte| byte.is_ascii_digit()) {
            *part = "YYYYMMDD";
        }
    }
    // A day of samples has two indexes that find an endpoint's; how much of the day is over decides which is taken.
    parts
        .join("_")
        .replace("_tenant_id_agent_id_idx", "_agent_id_collected_at_idx")
}
