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

/// Finds gaps from the first segment that a backup needs. `names` are the files of the archive.
pub(super) fn find_gaps<'a>(
    repository: u8,
    names: impl Iterator<Item = &'a str>,
    backups: &[BackupInfo],
    segment_bytes: u64,
) -> Vec<Gap> {
    let per_log = 0x1_0000_0000 / segment_bytes.max(1);
    let mut timelines: BTreeMap<u64, BTreeSet<u64>> = BTreeMap::new();
    let segments = names.filter_map(|name| {
        let file = name.rsplit('/').next()?;
        // `<segment>-<checksum>.zst`; histories and labels have another form.
        let (segment, _) = file.split_once('-')?;
        parse(segment, per_log)
    });
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
                    after: name(timeline, last, per_log),
                    before: name(timeline, number, per_log),
                    segments: number - last - 1,
                });
            }
            before = Some(number);
        }
    }
    gaps
}

fn parse(segment: &str, per_log: u64) -> Option<(u64, u64)> {
    if segment.len() != 24 {
        return None;
    }
    let part = |range| u64::from_str_radix(segment.get(range)?, 16).ok();
    Some((part(0..8)?, part(8..16)? * per_log + part(16..24)?))
}

fn name(timeline: u64, number: u64, per_log: u64) -> String {
    format!("{timeline:08X}{:08X}{:08X}", number / per_log, number % per_log)
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
            "a/0000000100000000000000FE-aa.zst",
            "a/0000000100000000000000FF-aa.zst",
            "a/000000010000000100000000-aa.zst",
            "a/000000010000000100000000.00000028.backup",
            "a/00000002.history",
            "a/000000020000000100000000-aa.zst",
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
}
