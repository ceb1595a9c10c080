//! Fuzzing on stable Rust: inputs of a corpus are damaged at random by proptest, which makes what fails smaller. `cargo xtask fuzz` runs
//! the targets for minutes, the ordinary test run for a moment each.

use std::cell::Cell;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestError, TestRunner};

/// Time for one target in the ordinary test run.
const MOMENT: Duration = Duration::from_secs(2);
/// No input may take longer, in an unoptimised build on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);
/// Bytes of an input at most.
const MAX_INPUT: usize = 256 * 1024;

/// One piece of damage.
#[derive(Debug, Clone)]
enum Damage {
    Set(prop::sample::Index, u8),
    FlipBit(prop::sample::Index, u8),
    Insert(prop::sample::Index, Vec<u8>),
    Cut(prop::sample::Index, prop::sample::Index),
    Repeat(prop::sample::Index, prop::sample::Index, usize),
    Truncate(prop::sample::Index),
    /// A piece of another input in the place of one here.
    Splice(prop::sample::Index, prop::sample::Index, Vec<u8>),
    /// A number as formats store lengths.
    Number(prop::sample::Index, u64, usize),
}

fn damage(corpus: &[Vec<u8>], words: &'static [&'static str]) -> impl Strategy<Value = Damage> + use<> {
    let index = any::<prop::sample::Index>;
    let piece =
        (prop::sample::select(corpus.to_vec()), index(), 1..200_usize).prop_map(|(input, at, len)| {
            let start = at.index(input.len().max(1));
            input[start.min(input.len())..input.len().min(start + len)].to_vec()
        });
    let word = prop::sample::select(words.to_vec()).prop_map(|word| word.as_bytes().to_vec());
    let inserted = prop_oneof![3 => word, 1 => prop::collection::vec(any::<u8>(), 1..12), 1 => piece.clone()];
    let number = prop::sample::select(vec![
        0,
        1,
        0x7f,
        0xff,
        0x7fff_ffff,
        0xffff_ffff,
        u64::MAX,
        i64::MAX as u64,
    ]);
    prop_oneof![
        2 => (index(), any::<u8>()).prop_map(|(at, byte)| Damage::Set(at, byte)),
        2 => (index(), 0..8_u8).prop_map(|(at, bit)| Damage::FlipBit(at, bit)),
        4 => (index(), inserted).prop_map(|(at, bytes)| Damage::Insert(at, bytes)),
        2 => (index(), index()).prop_map(|(from, to)| Damage::Cut(from, to)),
        1 => (index(), index(), 1..40_usize).prop_map(|(from, to, times)| Damage::Repeat(from, to, times)),
        1 => index().prop_map(Damage::Truncate),
        2 => (index(), index(), piece).prop_map(|(from, to, bytes)| Damage::Splice(from, to, bytes)),
        1 => (index(), number, prop::sample::select(vec![1, 2, 4, 8])).prop_map(|(at, number, width)| Damage::Number(at, number, width)),
    ]
}

fn apply(bytes: &mut Vec<u8>, damage: &Damage) {
    let place = |at: &prop::sample::Index, len: usize| at.index(len + 1);
    let range = |from, to, len| {
        let (a, b) = (place(from, len), place(to, len));
        a.min(b)..a.max(b)
    };
    let len = bytes.len();
    match damage {
        Damage::Set(at, byte) => {
            if let Some(slot) = bytes.get_mut(place(at, len)) {
                *slot = *byte;
            }
        }
        Damage::FlipBit(at, bit) => {
            if let Some(slot) = bytes.get_mut(place(at, len)) {
                *slot ^= 1 << bit;
            }
        }
        Damage::Insert(at, new) => _ = bytes.splice(place(at, len)..place(at, len), new.iter().copied()),
        Damage::Cut(from, to) => _ = bytes.drain(range(from, to, len)),
        Damage::Repeat(from, to, times) => {
            let range = range(from, to, len);
            let piece = bytes[range.clone()].repeat(*times);
            bytes.splice(range, piece);
        }
        Damage::Truncate(at) => bytes.truncate(place(at, len)),
        Damage::Splice(from, to, new) => _ = bytes.splice(range(from, to, len), new.iter().copied()),
        Damage::Number(at, number, width) => {
            let start = place(at, len);
            let end = len.min(start + width);
            bytes.splice(start..end, number.to_le_bytes()[..*width].iter().copied());
        }
    }
    bytes.truncate(MAX_INPUT);
}

/// How long a target runs.
#[expect(
    clippy::disallowed_methods,
    reason = "a setting of the tests, not of the product"
)]
fn time() -> Duration {
    let seconds = std::env::var("SECUREGUARD_FUZZ_SECONDS").ok();
    seconds.map_or(MOMENT, |text| Duration::from_secs(text.parse().unwrap()))
}

/// Gives damaged inputs to a target until its time is over. Fails with the smallest input that made it panic or take too long.
pub(crate) fn fuzz(corpus: Vec<Vec<u8>>, words: &'static [&'static str], target: impl Fn(&[u8])) {
    let time = time();
    for input in &corpus {
        target(input);
    }
    let damages = prop::collection::vec(damage(&corpus, words), 0..8);
    let inputs = (prop::sample::select(corpus), damages).prop_map(|(mut bytes, damages)| {
        damages.iter().for_each(|damage| apply(&mut bytes, damage));
        bytes
    });
    let config = Config {
        cases: 32,
        failure_persistence: None,
        max_shrink_time: 60_000,
        ..Config::default()
    };
    let (begun, count) = (Instant::now(), Cell::new(0_u64));
    while begun.elapsed() < time {
        // A runner that has had its cases runs no others.
        let outcome = TestRunner::new(config.clone()).run(&inputs, |input| {
            count.set(count.get() + 1);
            let begun = Instant::now();
            target(&input);
            prop_assert!(begun.elapsed() < PATIENCE, "took {:?}", begun.elapsed());
            Ok(())
        });
        match outcome {
            Ok(()) => {}
            Err(TestError::Fail(reason, input)) => {
                let shown = input[..input.len().min(4_000)].escape_ascii();
                panic!(
                    "{reason}\nafter {} inputs, on {} bytes: {shown}",
                    count.get(),
                    input.len()
                );
            }
            Err(TestError::Abort(reason)) => panic!("{reason}"),
        }
    }
    println!("{} inputs in {:.0?}", count.get(), begun.elapsed());
}
