//! YAML to a plain tree, with a budget that aliases cannot escape.

use std::cell::Cell;
use std::fmt;

use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};

use crate::diagnostic::{Code, Problem};
use crate::limits::{MAX_DEPTH, MAX_DOCUMENTS, MAX_YAML_VALUES};

/// A YAML value. Maps keep their order; their keys are unique.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Node {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
}

impl Node {
    /// The entry of a map; none for other values.
    pub(crate) fn find(&self, key: &str) -> Option<&Node> {
        self.as_map()?
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value)
    }

    pub(crate) fn as_map(&self) -> Option<&[(String, Node)]> {
        match self {
            Self::Map(entries) => Some(entries),
            _ => None,
        }
    }

    pub(crate) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A scalar as text; none for null, lists and maps.
    pub(crate) fn scalar_text(&self) -> Option<String> {
        match self {
            Self::Bool(value) => Some(value.to_string()),
            Self::Int(value) => Some(value.to_string()),
            Self::Float(value) => Some(format!("{value:?}")),
            Self::Text(text) => Some(text.clone()),
            Self::Null | Self::List(_) | Self::Map(_) => None,
        }
    }

    /// What the value is, for messages.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Int(_) | Self::Float(_) => "a number",
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
        }
    }
}

/// A document of a YAML stream with the line it begins at.
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) node: Node,
    pub(crate) first_line: u32,
}

/// Reads every document of a stream. Documents before a faulty one are returned with the fault.
pub(crate) fn load(text: &str) -> (Vec<Document>, Option<Problem>) {
    let first_lines = document_lines(text);
    let mut documents = Vec::new();
    for (index, deserializer) in serde_norway::Deserializer::from_str(text).enumerate() {
        if index >= MAX_DOCUMENTS {
            let detail = format!("more than {MAX_DOCUMENTS} documents in one file");
            return (documents, Some(Problem::new(Code::YamlTooComplex, detail)));
        }
        let budget = Budget {
            left: Cell::new(MAX_YAML_VALUES),
            exceeded: Cell::new(false),
        };
        match (Seed {
            budget: &budget,
            depth: 0,
        })
        .deserialize(deserializer)
        {
            Ok(Node::Null) => {}
            Ok(node) => documents.push(Document {
                node,
                first_line: first_lines.get(index).copied().unwrap_or(1),
            }),
            Err(error) => {
                let line = error
                    .location()
                    .and_then(|place| u32::try_from(place.line()).ok());
                let code = if budget.exceeded.get() {
                    Code::YamlTooComplex
                } else {
                    Code::InvalidYaml
                };
                return (documents, Some(Problem::new(code, error.to_string()).at(line)));
            }
        }
    }
    (documents, None)
}

/// The line on which a key of the document stands, searched from `from` on; good enough to point at.
pub(crate) fn find_key_line(text: &str, from: u32, key: &str) -> Option<u32> {
    let start = usize::try_from(from).ok()?.saturating_sub(1);
    let is_key = |line: &str| {
        let line = line.trim_start().trim_start_matches("- ").trim_start();
        let line = line.trim_start_matches(['\'', '"']);
        line.strip_prefix(key)
            .is_some_and(|rest| rest.trim_start_matches(['\'', '"']).trim_start().starts_with(':'))
    };
    let offset = text.lines().skip(start).position(is_key)?;
    u32::try_from(start + offset + 1).ok()
}

/// First lines of the documents of a stream, counted from 1.
fn document_lines(text: &str) -> Vec<u32> {
    let mut lines = vec![1];
    let mut content_before = false;
    for (line, number) in text.lines().zip(1_u32..) {
        if line == "---" || line.starts_with("--- ") {
            if content_before {
                lines.push(number + 1);
            }
            content_before = true;
        } else if !line.trim().is_empty() && !line.trim_start().starts_with('#') {
            content_before = true;
        }
    }
    lines
}

struct Budget {
    left: Cell<usize>,
    exceeded: Cell<bool>,
}

impl Budget {
    fn spend<E: de::Error>(&self, depth: usize) -> Result<(), E> {
        let left = self.left.get();
        if left == 0 || depth > MAX_DEPTH {
            self.exceeded.set(true);
            let message = if left == 0 {
                format!("more than {MAX_YAML_VALUES} values")
            } else {
                format!("nested deeper than {MAX_DEPTH} levels")
            };
            return Err(E::custom(message));
        }
        self.left.set(left - 1);
        Ok(())
    }
}

#[derive(Clone, Copy)]
struct Seed<'b> {
    budget: &'b Budget,
    depth: usize,
}

impl Seed<'_> {
    fn deeper(self) -> Self {
        Self {
            depth: self.depth + 1,
            ..self
        }
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Node;

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        self.budget.spend(self.depth)?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a plain YAML value")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Int(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(i64::try_from(value).map_or_else(|_| Node::Text(value.to_string()), Node::Int))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Node, E> {
        Ok(Node::Text(value.to_string()))
    }

    fn visit_u128<E>(self, value: u128) -> Result<Node, E> {
        Ok(Node::Text(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = sequence.next_element_seed(self.deeper())? {
            items.push(item);
        }
        Ok(Node::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut entries: Vec<(String, Node)> = Vec::new();
        let mut keys = std::collections::HashSet::new();
        while let Some(key) = map.next_key_seed(self.deeper())? {
            let Some(key) = key.scalar_text() else {
                return Err(de::Error::custom(format!("a map's key is {}", key.kind())));
            };
            if !keys.insert(key.clone()) {
                return Err(de::Error::custom(format!(
                    "the key `{key}` stands twice in one map"
                )));
            }
            entries.push((key, map.next_value_seed(self.deeper())?));
        }
        Ok(Node::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load_one(text: &str) -> Result<Node, Problem> {
        let (mut documents, problem) = load(text);
        match problem {
            Some(problem) => Err(problem),
            None => Ok(documents.remove(0).node),
        }
    }

    #[test]
    fn scalars_keep_their_type_and_order() {
        let node = load_one("b: 4624\na: 'x'\nn:\nt: true\nl: [1, two]\n").unwrap();
        let keys: Vec<_> = node
            .as_map()
            .unwrap()
            .iter()
            .map(|(key, _)| key.as_str())
            .collect();
        assert_eq!(keys, ["b", "a", "n", "t", "l"]);
        assert_eq!(node.find("b"), Some(&Node::Int(4624)));
        assert_eq!(node.find("n"), Some(&Node::Null));
        assert_eq!(
            node.find("l"),
            Some(&Node::List(vec![Node::Int(1), Node::Text("two".into())]))
        );
    }

    #[test]
    fn a_key_that_stands_twice_is_refused() {
        assert_eq!(load_one("a: 1\na: 2\n").unwrap_err().code, Code::InvalidYaml);
    }

    #[test]
    fn an_alias_bomb_is_refused_and_costs_little() {
        let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for level in 1..9 {
            let previous = level - 1;
            let items = vec![format!("*a{previous}"); 10].join(", ");
            text.push_str(&format!("a{level}: &a{level} [{items}]\n"));
        }
        assert!(matches!(
            load_one(&text).unwrap_err().code,
            Code::YamlTooComplex | Code::InvalidYaml
        ));
    }

    #[test]
    fn deep_nesting_is_refused() {
        let text = format!("a: {}1{}", "[".repeat(60), "]".repeat(60));
        assert_eq!(load_one(&text).unwrap_err().code, Code::YamlTooComplex);
    }

    #[test]
    fn documents_and_keys_know_their_lines() {
        let text = "# head\n---\ntitle: a\n---\ntitle: b\ndetection:\n  sel: 1\n";
        let (documents, problem) = load(text);
        assert!(problem.is_none());
        assert_eq!(documents.iter().map(|d| d.first_line).collect::<Vec<_>>(), [1, 5]);
        assert_eq!(find_key_line(text, 5, "sel"), Some(7));
    }
}
