//! When the condition of a correlation held, among what was counted in one group.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use super::{Correlation, CorrelationKind};

/// A match that counts in a group.
#[derive(Debug, Clone, PartialEq)]
pub struct Counted {
    /// Which of the correlation's rules matched.
    pub position: usize,
    /// When.
    pub at: DateTime<Utc>,
    /// What the field was, for the kinds that look at one.
    pub value: Option<String>,
}

/// A time in which the condition held.
#[derive(Debug, Clone, PartialEq)]
pub struct Episode {
    /// The first match that it rests on, by its place in what was counted.
    pub first: usize,
    /// The match at which the condition held first.
    pub held_at: usize,
    /// The last one.
    pub last: usize,
    /// The figure that satisfied the condition.
    pub figure: f64,
}

impl Correlation {
    /// The times in which the condition held. `counted` is in the order of time; the answer does not depend on the order in which it arrived.
    ///
    /// Where nothing has to be waited for, a time of the correlation's length ends at each match, and those matches in a row at which the
    /// condition holds are one episode. Else the first match begins a time, the first one after its end the next, and each is judged once it
    /// is over at `now`.
    pub fn find_episodes(&self, counted: &[Counted], now: DateTime<Utc>) -> Vec<Episode> {
        match self.kind {
            CorrelationKind::TemporalOrdered => self.find_chains(counted),
            _ if self.is_immediate() => self.slide(counted),
            _ => self.judge_closed(counted, now),
        }
    }

    /// When the last time that has begun is over; none when all are, or when nothing has to be waited for.
    pub fn next_end(&self, counted: &[Counted], now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        if self.is_immediate() {
            return None;
        }
        let ends = self.tumble(counted).into_iter().filter_map(|(first, _)| {
            let end = counted.get(first)?.at + self.timespan;
            (end > now).then_some(end)
        });
        ends.min()
    }

    /// The times that are over at `now`, whether or not the condition held in them. Their figures are those that are compared, 0 where there is none.
    pub fn closed_times(&self, counted: &[Counted], now: DateTime<Utc>) -> Vec<Episode> {
        let over = |(first, last): (usize, usize)| {
            let within = counted.get(first..=last)?;
            let figure = self.measure(within).unwrap_or_default();
            (within.first()?.at + self.timespan <= now).then_some(Episode {
                first,
                held_at: last,
                last,
                figure,
            })
        };
        self.tumble(counted).into_iter().filter_map(over).collect()
    }

    fn slide(&self, counted: &[Counted]) -> Vec<Episode> {
        let mut figures = Figures::default();
        let mut episodes: Vec<Episode> = Vec::new();
        let mut begin = 0;
        let mut held = false;
        for (place, one) in counted.iter().enumerate() {
            figures.add(one);
            while let Some(oldest) = counted.get(begin)
                && oldest.at <= one.at - self.timespan
            {
                figures.remove(oldest);
                begin += 1;
            }
            let figure = figures.running(self.kind);
            let holds = self.holds(figure);
            match episodes.last_mut() {
                Some(episode) if holds && held => {
                    episode.last = place;
                    episode.figure = episode.figure.max(figure);
                }
                _ if holds => episodes.push(Episode {
                    first: begin,
                    held_at: place,
                    last: place,
                    figure,
                }),
                _ => {}
            }
            held = holds;
        }
        episodes
    }

    /// For each rule the latest first match of a chain that has come as far as that rule. A chain that ends in time is an episode; its matches
    /// are used up.
    fn find_chains(&self, counted: &[Counted]) -> Vec<Episode> {
        let length = self.rules.len();
        let mut begun: Vec<Option<usize>> = vec![None; length];
        let mut episodes = Vec::new();
        for (place, one) in counted.iter().enumerate() {
            let in_time = |first: &usize| counted.get(*first).is_some_and(|c| c.at > one.at - self.timespan);
            let before = match one.position.checked_sub(1) {
                None => Some(place),
                Some(earlier) => begun.get(earlier).copied().flatten().filter(in_time),
            };
            let (Some(first), Some(slot)) = (before, begun.get_mut(one.position)) else {
                continue;
            };
            *slot = Some(first);
            if one.position + 1 == length {
                #[expect(clippy::cast_precision_loss, reason = "a few rules")]
                episodes.push(Episode {
                    first,
                    held_at: place,
                    last: place,
                    figure: length as f64,
                });
                begun.fill(None);
            }
        }
        episodes
    }

    fn judge_closed(&self, counted: &[Counted], now: DateTime<Utc>) -> Vec<Episode> {
        let has_figure = |time: &Episode| {
            let within = counted.get(time.first..=time.last);
            within.is_some_and(|within| self.measure(within).is_some())
        };
        let times = self.closed_times(counted, now).into_iter();
        times
            .filter(|time| self.holds(time.figure) && has_figure(time))
            .collect()
    }

    /// The times that matches begin, each by the places of its first and last match.
    fn tumble(&self, counted: &[Counted]) -> Vec<(usize, usize)> {
        let mut times: Vec<(usize, usize)> = Vec::new();
        for (place, one) in counted.iter().enumerate() {
            let open = times
                .last_mut()
                .filter(|(first, _)| counted.get(*first).is_some_and(|c| one.at < c.at + self.timespan));
            match open {
                Some((_, last)) => *last = place,
                None => times.push((place, place)),
            }
        }
        times
    }

    fn measure(&self, within: &[Counted]) -> Option<f64> {
        let mut figures = Figures::default();
        within.iter().for_each(|one| figures.add(one));
        let percentile = match self.kind {
            CorrelationKind::ValuePercentile => self.percentile,
            CorrelationKind::ValueMedian => 50.0,
            CorrelationKind::ValueAvg => {
                let numbers = figures.numbers;
                #[expect(clippy::cast_precision_loss, reason = "at most some thousand matches")]
                return (numbers > 0).then(|| figures.sum / numbers as f64);
            }
            kind => return Some(figures.running(kind)),
        };
        let mut numbers: Vec<f64> = within.iter().filter_map(number).collect();
        numbers.sort_by(f64::total_cmp);
        interpolate(&numbers, percentile)
    }
}

/// The percentile of sorted numbers, between the two that are nearest where it falls between them, as SQL's `percentile_cont`.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a place among some thousand numbers"
)]
fn interpolate(sorted: &[f64], percentile: f64) -> Option<f64> {
    let place = percentile.clamp(0.0, 100.0) / 100.0 * (sorted.len().checked_sub(1)? as f64);
    let (below, above) = (
        *sorted.get(place.floor() as usize)?,
        *sorted.get(place.ceil() as usize)?,
    );
    Some(below + (above - below) * place.fract())
}

/// What is known of the matches in a time.
#[derive(Default)]
struct Figures {
    all: usize,
    values: HashMap<String, usize>,
    positions: HashMap<usize, usize>,
    sum: f64,
    numbers: usize,
}

impl Figures {
    fn add(&mut self, one: &Counted) {
        self.all += 1;
        *self.positions.entry(one.position).or_default() += 1;
        if let Some(value) = &one.value {
            *self.values.entry(value.clone()).or_default() += 1;
        }
        if let Some(value) = number(one) {
            self.sum += value;
            self.numbers += 1;
        }
    }

    fn remove(&mut self, one: &Counted) {
        self.all -= 1;
        drop_one(&mut self.positions, &one.position);
        if let Some(value) = &one.value {
            drop_one(&mut self.values, value);
        }
        if let Some(value) = number(one) {
            self.sum -= value;
            self.numbers -= 1;
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "at most some thousand matches")]
    fn running(&self, kind: CorrelationKind) -> f64 {
        match kind {
            CorrelationKind::ValueCount => self.values.len() as f64,
            CorrelationKind::Temporal | CorrelationKind::TemporalOrdered => self.positions.len() as f64,
            CorrelationKind::ValueSum => self.sum,
            _ => self.all as f64,
        }
    }
}

fn drop_one<K: std::hash::Hash + Eq>(counts: &mut HashMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

fn number(one: &Counted) -> Option<f64> {
    let number: f64 = one.value.as_deref()?.trim().parse().ok()?;
    number.is_finite().then_some(number)
}
