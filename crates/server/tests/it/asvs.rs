//! `docs/asvs.md` has a line for each requirement, and the tests that it names exist.

use std::collections::BTreeSet;
use std::path::Path;

/// The requirements of levels 1 and 2 in chapters V6, V7, V8 and V16 of OWASP ASVS 5.0: section, numbers.
const REQUIREMENTS: [(&str, &[u8]); 22] = [
    ("6.1", &[1, 2, 3]),
    ("6.2", &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]),
    ("6.3", &[1, 2, 3, 4]),
    ("6.4", &[1, 2, 3, 4]),
    ("6.5", &[1, 2, 3, 4, 5]),
    ("6.6", &[1, 2, 3]),
    ("6.8", &[1, 2, 3, 4]),
    ("7.1", &[1, 2, 3]),
    ("7.2", &[1, 2, 3, 4]),
    ("7.3", &[1, 2]),
    ("7.4", &[1, 2, 3, 4, 5]),
    ("7.5", &[1, 2]),
    ("7.6", &[1, 2]),
    ("8.1", &[1, 2]),
    ("8.2", &[1, 2, 3]),
    ("8.3", &[1]),
    ("8.4", &[1]),
    ("16.1", &[1]),
    ("16.2", &[1, 2, 3, 4, 5]),
    ("16.3", &[1, 2, 3, 4]),
    ("16.4", &[1, 2, 3]),
    ("16.5", &[1, 2, 3]),
];

fn collect(dir: &Path, ending: &str, found: &mut String) {
    for entry in std::fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            if !path.ends_with("node_modules") {
                collect(&path, ending, found);
            }
        } else if path.to_string_lossy().ends_with(ending) {
            found.push_str(&std::fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn every_requirement_has_its_line_and_every_named_test_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let page = std::fs::read_to_string(root.join("docs/asvs.md")).unwrap();
    let (mut rust, mut journeys) = (String::new(), String::new());
    collect(&root.join("crates"), ".rs", &mut rust);
    collect(&root.join("e2e/journeys"), ".ts", &mut journeys);
    let mut told = BTreeSet::new();
    for line in page.lines() {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [number, level, state, _, tests] = cells[..] else {
            continue;
        };
        if !number.starts_with(|c: char| c.is_ascii_digit()) {
            continue;
        }
        assert!(told.insert(number.to_owned()), "{number} stands there twice");
        assert!(["1", "2"].contains(&level), "{number}: {level}");
        assert!(["holds", "setting", "n/a"].contains(&state), "{number}: {state}");
        let named: Vec<&str> = tests.split('`').skip(1).step_by(2).collect();
        assert!(state == "n/a" || !named.is_empty(), "{number} names no test");
        for name in named {
            let exists =
                rust.contains(&format!("fn {name}(")) || journeys.contains(&format!("test(\"{name}\""));
            assert!(exists, "{number} names a test that does not exist: {name}");
        }
    }
    let wanted: BTreeSet<String> = REQUIREMENTS
        .iter()
        .flat_map(|(section, numbers)| numbers.iter().map(move |number| format!("{section}.{number}")))
        .collect();
    assert_eq!(told, wanted);
}
