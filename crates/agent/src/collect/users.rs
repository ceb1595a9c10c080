//! User names by number.

use std::collections::HashMap;
use std::fs;
use std::sync::Mutex;
use std::time::SystemTime;

/// Names from `/etc/passwd`, read again when the file changes. Users of directory services go by their number.
#[derive(Debug, Default)]
pub struct UserNames {
    known: Mutex<(Option<SystemTime>, HashMap<u32, String>)>,
}

impl UserNames {
    /// The name of a user, else the number as text.
    pub fn name(&self, uid: u32) -> String {
        let changed = fs::metadata("/etc/passwd")
            .and_then(|metadata| metadata.modified())
            .ok();
        let mut known = self.known.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if known.0 != changed || changed.is_none() {
            *known = (
                changed,
                parse_passwd(&fs::read_to_string("/etc/passwd").unwrap_or_default()),
            );
        }
        known.1.get(&uid).cloned().unwrap_or_else(|| uid.to_string())
    }
}

fn parse_passwd(text: &str) -> HashMap<u32, String> {
    let mut names = HashMap::new();
    for line in text.lines() {
        let mut columns = line.split(':');
        if let (Some(name), Some(_), Some(Ok(uid))) =
            (columns.next(), columns.next(), columns.next().map(str::parse))
        {
            names.entry(uid).or_insert_with(|| name.to_owned());
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_name_of_a_number_counts() {
        let names = parse_passwd(
            "root:x:0:0::/root:/bin/sh\ntoor:x:0:0::/:/bin/sh\nbroken\nweb:x:33:33::/:/bin/false\n",
        );
        assert_eq!(names.get(&0).map(String::as_str), Some("root"));
        assert_eq!(names.get(&33).map(String::as_str), Some("web"));
        assert_eq!(names.len(), 2);
    }

    #[test]
    fn an_unknown_user_goes_by_number() {
        assert_eq!(UserNames::default().name(4_000_000_000), "4000000000");
    }
}
