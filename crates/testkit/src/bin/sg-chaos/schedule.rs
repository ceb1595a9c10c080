//! Which faults, in which order: a function of the seed alone.

use std::fmt;
use std::time::Duration;

/// Something that is done to the product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    KillServer,
    KillPostgres,
    KillBackend,
    KillAgent,
    HaltServer,
    HaltPostgres,
    HaltAgent,
    FillServerDisk,
    FillAgentDisk,
    CutConnections,
    MoveServerClock,
    MoveAgentClock,
}

impl Fault {
    pub(crate) const ALL: [Self; 12] = [
        Self::KillServer,
        Self::KillPostgres,
        Self::KillBackend,
        Self::KillAgent,
        Self::HaltServer,
        Self::HaltPostgres,
        Self::HaltAgent,
        Self::FillServerDisk,
        Self::FillAgentDisk,
        Self::CutConnections,
        Self::MoveServerClock,
        Self::MoveAgentClock,
    ];

    /// Whether it goes on for a while and is then taken back.
    fn lasts(self) -> bool {
        !matches!(
            self,
            Self::KillServer | Self::KillPostgres | Self::KillBackend | Self::KillAgent
        )
    }

    /// What may be killed while this goes on, besides. What stands still cannot be told from what is dead, and a killed agent dates what it missed by its
    /// own clock.
    fn companions(self) -> &'static [Self] {
        match self {
            Self::FillServerDisk => &[Self::KillServer, Self::KillPostgres, Self::KillAgent],
            Self::FillAgentDisk => &[Self::KillAgent, Self::KillServer],
            Self::CutConnections | Self::HaltAgent => {
                &[Self::KillServer, Self::KillPostgres, Self::KillBackend]
            }
            Self::HaltPostgres | Self::MoveServerClock => &[Self::KillServer, Self::KillAgent],
            Self::MoveAgentClock => &[Self::KillServer, Self::KillBackend],
            _ => &[],
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::KillServer => "kill -9 the server",
            Self::KillPostgres => "kill -9 the postmaster",
            Self::KillBackend => "kill -9 a backend of PostgreSQL",
            Self::KillAgent => "kill -9 the agent",
            Self::HaltServer => "SIGSTOP the server",
            Self::HaltPostgres => "SIGSTOP all of PostgreSQL",
            Self::HaltAgent => "SIGSTOP the agent",
            Self::FillServerDisk => "fill the server's disk",
            Self::FillAgentDisk => "fill the agent's disk",
            Self::CutConnections => "cut connections in the middle of what they carry",
            Self::MoveServerClock => "move the clock of server and PostgreSQL",
            Self::MoveAgentClock => "move the agent's clock",
        })
    }
}

/// One step of the schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Step {
    /// Undisturbed work before it.
    pub(crate) pause: Duration,
    pub(crate) fault: Fault,
    /// For how long what lasts goes on; before what was killed is started again.
    pub(crate) hold: Duration,
    /// What is killed in the middle of that.
    pub(crate) meanwhile: Option<Fault>,
    /// How far clocks are moved.
    pub(crate) clock_seconds: i64,
    /// Bytes that a connection carries before it is cut.
    pub(crate) cut_after: u64,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.fault)?;
        match self.fault {
            Fault::MoveServerClock | Fault::MoveAgentClock => write!(f, " by {:+} s", self.clock_seconds)?,
            Fault::CutConnections => write!(f, " after {} bytes", self.cut_after)?,
            _ => {}
        }
        if self.fault.lasts() {
            write!(f, " for {:.1} s", self.hold.as_secs_f64())?;
        }
        if let Some(fault) = self.meanwhile {
            write!(f, ", and meanwhile {fault}")?;
        }
        Ok(())
    }
}

/// All steps, without an end: each fault once in every round, in an order of its own.
#[derive(Debug)]
pub(crate) struct Schedule {
    random: Random,
    round: Vec<Fault>,
}

impl Schedule {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            random: Random(seed),
            round: Vec::new(),
        }
    }
}

impl Iterator for Schedule {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        if self.round.is_empty() {
            self.round = Fault::ALL.to_vec();
            for place in (1..self.round.len()).rev() {
                let other = usize::try_from(self.random.below(place as u64 + 1)).unwrap_or(0);
                self.round.swap(place, other);
            }
        }
        let fault = self.round.pop()?;
        let random = &mut self.random;
        // Every number is drawn for every step, so that one kind of fault does not shift what follows.
        let (pause, hold) = (300 + random.below(1_200), 500 + random.below(3_000));
        let (with_companion, companion) = (random.below(3) == 0, random.below(6));
        let seconds =
            [-7_200, -600, -90, 75, 90, 900, 3_600, 10_800][usize::try_from(random.below(8)).unwrap_or(0)];
        let cut_after = random.below(6_000);
        let companions = fault.companions();
        let meanwhile = usize::try_from(companion)
            .ok()
            .and_then(|place| companions.get(place % companions.len().max(1)));
        Some(Step {
            pause: Duration::from_millis(pause),
            fault,
            hold: Duration::from_millis(if fault.lasts() { hold } else { hold / 4 }),
            meanwhile: meanwhile.copied().filter(|_| with_companion),
            clock_seconds: seconds,
            cut_after,
        })
    }
}

/// SplitMix64: the same numbers for a seed on every machine and in every version.
#[derive(Debug)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_stands_for_one_schedule() {
        let steps = |seed| Schedule::new(seed).take(50).collect::<Vec<_>>();
        assert_eq!(steps(7), steps(7));
        assert_ne!(steps(7), steps(8));
        // The reference values of SplitMix64 for the seed 1234567.
        let mut random = Random(1_234_567);
        assert_eq!(
            [random.next(), random.next()],
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973]
        );
    }

    #[test]
    fn every_fault_comes_in_every_round() {
        let steps: Vec<Step> = Schedule::new(3).take(24).collect();
        for round in steps.chunks(12) {
            let mut faults: Vec<Fault> = round.iter().map(|step| step.fault).collect();
            faults.sort_unstable();
            assert_eq!(faults, Fault::ALL);
        }
        assert!(steps.iter().any(|step| step.meanwhile.is_some()));
    }
}
