//! The account that PostgreSQL runs as.

use std::fs;
use std::path::Path;

use rustix::process::geteuid;

use crate::error::{Context, Error};

/// Whom PostgreSQL's programs run as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RunAs {
    pub(crate) name: String,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// Whether we are root and have to change to this user.
    pub(crate) switch: bool,
}

/// Chooses the account: our own; for root, who must not run PostgreSQL, `postgres` or else `nobody`. A cluster that
/// one of the two already owns stays with it.
pub(crate) fn choose(cluster_dir: &Path) -> Result<RunAs, Error> {
    use std::os::unix::fs::MetadataExt;

    let passwd_path = Path::new("/etc/passwd");
    let passwd = fs::read_to_string(passwd_path).context("read", passwd_path)?;
    let me = geteuid().as_raw();
    if me != 0 {
        return Ok(RunAs {
            name: name_of(&passwd, me),
            uid: me,
            gid: rustix::process::getegid().as_raw(),
            switch: false,
        });
    }
    let owner = fs::metadata(cluster_dir).ok().map(|m| m.uid());
    let candidates: Vec<RunAs> = ["postgres", "nobody"]
        .into_iter()
        .filter_map(|name| find_account(&passwd, name))
        .collect();
    candidates
        .iter()
        .find(|c| Some(c.uid) == owner)
        .or(candidates.first())
        .cloned()
        .ok_or(Error::NoUser)
}

/// The name of a user id, or the number when it has none.
pub(crate) fn describe(uid: u32) -> String {
    name_of(&fs::read_to_string("/etc/passwd").unwrap_or_default(), uid)
}

fn find_account(passwd: &str, wanted: &str) -> Option<RunAs> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next().filter(|name| *name == wanted)?;
        let uid = fields.nth(1)?.parse().ok().filter(|uid| *uid != 0)?;
        let gid = fields.next()?.parse().ok()?;
        Some(RunAs {
            name: name.to_owned(),
            uid,
            gid,
            switch: true,
        })
    })
}

fn name_of(passwd: &str, uid: u32) -> String {
    passwd
        .lines()
        .find_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next()?;
            (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
        })
        .unwrap_or_else(|| uid.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/:/bin/false\npostgres:x:101:104::/:/bin/sh\n";

    #[test]
    fn accounts_are_read_from_passwd() {
        let found = find_account(PASSWD, "postgres").unwrap();
        assert_eq!((found.uid, found.gid, found.switch), (101, 104, true));
        assert_eq!(find_account(PASSWD, "post"), None);
        assert_eq!(
            find_account("postgres:x:0:0::/:/bin/sh", "postgres"),
            None,
            "another name for root is no use"
        );
        assert_eq!(name_of(PASSWD, 65534), "nobody");
        assert_eq!(name_of(PASSWD, 7), "7");
    }
}
