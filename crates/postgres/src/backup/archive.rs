//! The archived write-ahead log: whether a segment is missing.

use std::collections::{BTreeMap, BTreeSet};

use super::info::BackupInfo;

/// Segments that are missing between two that are there: whoever restores does not get beyond them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// 1 or 2.
    pub repository: u8,
    /// The last segment before it.
    pub after: String,
    /// The first segment behind it.
    pub before: String,
    /// How many are missing.
    pub segments: u64,
}

/// Finds gaps from the first segment that a backup needs. `names` are the segments of the archive; other files of it are passed over.
pub(super) fn find_gaps<'a>(
    repository: u8,
    names: impl Iterator<Item = &'a str>,
    backups: &[BackupInfo],
    segment_bytes: u64,
) -> Vec<Gap> {
    let per_log = 0x1_0000_0000 / segment_bytes.max(1);
    let mut timelines: BTreeMap<u64, BTreeSet<u64>> = BTreeMap::new();
    let segments = names.filter_map(|name| parse(name, per_log));
    for (timeline, number) in segments {
        timelines.entry(timeline).or_default().insert(number);
    }
    let mut gaps = Vec::new();
    let of_repository = || backups.iter().filter(|backup| backup.repository == repository);
    for (timeline, numbers) in timelines {
        let needed = of_repository()
            .filter_map(|backup| parse(&backup.archive_start, per_log))
            .filter(|(of, _)| *of == timeline)
            .map(|(_, number)| number)
            .min();
        let mut before = needed.and_then(|first| first.checked_sub(1));
        for number in numbers
            .into_iter()
            .filter(|number| needed.is_none_or(|first| *number >= first))
        {
            if let Some(last) = before.filter(|last| number > last + 1) {
                gaps.push(Gap {
                    repository,
                    after: segment_name(timeline, last, segment_bytes),
                    before: segment_name(timeline, number, segment_bytes),
                    segments: number - last - 1,
                });
            }
            before = Some(number);
        }
    }
    gaps
}

fn parse(segment: &str, per_log: u64) -> Option<(u64, u64)> {
    if !is_segment(segment) {
        return None;
    }
    let part = |range| u64::from_str_radix(segment.get(range)?, 16).ok();
    Some((part(0..8)?, part(8..16)? * per_log + part(16..24)?))
}

/// Whether it is a segment's name, rather than that of a history or of a backup's label.
pub(super) fn is_segment(name: &str) -> bool {
    name.len() == 24 && name.chars().all(|c| c.is_ascii_hexdigit())
}

/// The name of a segment, counted from the beginning of the log.
pub(super) fn segment_name(timeline: u64, number: u64, segment_bytes: u64) -> String {
    let per_log = 0x1_0000_0000 / segment_bytes.max(1);
    format!("{timeline:08X}{:08X}{:08X}", number / per_log, number % per_log)
}

/// Files of the archive that no backup needs: segments from before the first one that any of them needs, whichever the timeline. Histories stay.
pub(super) fn find_unneeded<'a>(
    names: &'a [String],
    backups: &[BackupInfo],
    segment_bytes: u64,
) -> Vec<&'a str> {
    let per_log = 0x1_0000_0000 / segment_bytes.max(1);
    let number = |name: &str| parse(name.get(..24)?, per_log).map(|(_, number)| number);
    // One whose beginning is not known may need everything.
    let firsts: Option<Vec<u64>> = backups
        .iter()
        .map(|backup| number(&backup.archive_start))
        .collect();
    let Some(first) = firsts.and_then(|firsts| firsts.into_iter().min()) else {
        return Vec::new();
    };
    names
        .iter()
        .map(String::as_str)
        .filter(|name| number(name).is_some_and(|number| number < first))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: u64 = 16 * 1024 * 1024;

    fn gaps(names: &[&str]) -> Vec<Gap> {
        find_gaps(1, names.iter().copied(), &[], SIZE)
    }

    #[test]
    fn a_missing_segment_is_found_across_the_end_of_a_log() {
        let all = [
            "0000000100000000000000FE",
            "0000000100000000000000FF",
            "000000010000000100000000",
            "000000010000000100000000.00000028.backup",
            "00000002.history",
            "000000020000000100000000",
        ];
        assert_eq!(gaps(&all), []);
        let without = gaps(&[all[0], all[2], all[5]]);
        assert_eq!(
            without,
            [Gap {
                repository: 1,
                after: "0000000100000000000000FE".to_owned(),
                before: "000000010000000100000000".to_owned(),
                segments: 1
            }]
        );
        assert_eq!(gaps(&["nonsense", "x-y", ""]), []);
    }

    fn backup(archive_start: &str) -> BackupInfo {
        let moment = chrono::DateTime::from_timestamp(0, 0).unwrap();
        BackupInfo {
            label: String::new(),
            kind: "full".to_owned(),
            repository: 1,
            started_at: moment,
            finished_at: moment,
            database_bytes: 1,
            stored_bytes: 1,
            archive_start: archive_start.to_owned(),
            archive_stop: archive_start.to_owned(),
            has_page_errors: false,
        }
    }

    #[test]
    fn only_what_no_backup_needs_is_removed() {
        let names = [
            "000000010000000000000004",
            "000000010000000000000005",
            "000000010000000000000005.00000028.backup",
            "000000010000000000000006",
            "00000002.history",
            "000000020000000000000005.partial",
            "000000020000000000000007",
        ]
        .map(str::to_owned);
        let of = |starts: &[&str]| {
            let backups: Vec<BackupInfo> = starts.iter().map(|start| backup(start)).collect();
            find_unneeded(&names, &backups, SIZE)
        };
        assert_eq!(
            of(&["000000020000000000000006", "000000020000000000000007"]),
            [&names[0], &names[1], &names[2], &names[5]]
        );
        assert_eq!(
            of(&["000000020000000000000007", "000000010000000000000005"]),
            [&names[0]]
        );
        assert!(
            of(&[]).is_empty(),
            "without a backup nothing is known to be unneeded"
        );
        assert!(of(&["000000020000000000000007", ""]).is_empty());
    }
}
