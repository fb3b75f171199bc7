//! The rounds in which the services take turns, and what is made of them.

use std::error::Error;
use std::time::Duration;

use super::child::Server;
use super::contenders::Contender;
use super::load::{Load, Took, Traffic};

/// How long to measure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// Every repetition starts all processes afresh.
    pub(crate) repetitions: usize,
    /// Rounds in each repetition that do not count.
    pub(crate) warm: usize,
    /// Rounds in each repetition, in which the services take turns.
    pub(crate) rounds: usize,
    /// Requests of a round.
    pub(crate) requests: usize,
}

impl Plan {
    pub(crate) const FULL: Self = Self { repetitions: 5, warm: 4, rounds: 20, requests: 10_000 };
    /// Shows that everything runs, and measures nothing.
    pub(crate) const QUICK: Self = Self { repetitions: 1, warm: 0, rounds: 1, requests: 200 };
}

/// What a service took in one round.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Round {
    /// The process's own seconds for a request, in the kernel as well.
    pub(crate) cpu: f64,
    /// The seconds that went by for a request.
    pub(crate) elapsed: f64,
    /// Of each request, in seconds.
    pub(crate) median: f64,
    /// In seconds; so many are faster in a hundred.
    pub(crate) p99: f64,
}

impl Round {
    fn new(took: Took, cpu: Duration) -> Self {
        let Took { elapsed, mut latencies } = took;
        let requests = latencies.len() as f64;
        latencies.sort_unstable();
        let last = latencies.len().saturating_sub(1);
        let quantile =
            |percent| latencies.get(last * percent / 100).map_or(f64::NAN, Duration::as_secs_f64);
        Self {
            cpu: cpu.as_secs_f64() / requests,
            elapsed: elapsed.as_secs_f64() / requests,
            median: quantile(50),
            p99: quantile(99),
        }
    }
}

/// All rounds of the services, which took turns: those of one place were beside each other.
#[derive(Debug)]
pub(crate) struct Rounds {
    contenders: Vec<Contender>,
    /// By contender.
    all: Vec<Vec<Round>>,
}

impl Rounds {
    pub(crate) fn make(
        contenders: &[Contender],
        traffic: Traffic,
        plan: Plan,
    ) -> Result<Self, Box<dyn Error>> {
        let mut all = vec![Vec::new(); contenders.len()];
        for _ in 0..plan.repetitions {
            let mut services = Vec::new();
            for contender in contenders {
                let server = Server::start(*contender)?;
                let load = Load::new(server.address, traffic)?;
                services.push((server, load));
            }
            for number in 0..plan.warm + plan.rounds {
                for ((server, load), rounds) in services.iter_mut().zip(&mut all) {
                    let before = server.cpu_time()?;
                    let took = load.round(plan.requests)?;
                    let cpu = server.cpu_time()?.saturating_sub(before);
                    if number >= plan.warm {
                        rounds.push(Round::new(took, cpu));
                    }
                }
            }
            services.into_iter().try_for_each(|(server, load)| server.stop(load.made))?;
        }
        Ok(Self { contenders: contenders.to_vec(), all })
    }

    pub(crate) fn count(&self) -> usize {
        self.all.first().map_or(0, Vec::len)
    }

    fn of(&self, contender: Contender) -> &[Round] {
        let place = self.contenders.iter().position(|known| known.name == contender.name);
        place.and_then(|place| self.all.get(place)).map_or(&[], Vec::as_slice)
    }

    /// A figure of all rounds.
    pub(crate) fn spread(
        &self,
        contender: Contender,
        figure: impl Fn(&Round) -> f64,
    ) -> Option<Spread> {
        Spread::of(self.of(contender).iter().map(figure).collect())
    }

    /// A figure as a multiple of that of `other` in the same round.
    pub(crate) fn beside(
        &self,
        contender: Contender,
        other: Contender,
        figure: impl Fn(&Round) -> f64,
    ) -> Option<Spread> {
        let pairs = self.of(contender).iter().zip(self.of(other));
        Spread::of(pairs.map(|(own, other)| figure(own) / figure(other)).collect())
    }
}

/// The middle of some figures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    pub(crate) first: f64,
    pub(crate) median: f64,
    pub(crate) third: f64,
}

impl Spread {
    fn of(mut figures: Vec<f64>) -> Option<Self> {
        figures.sort_by(f64::total_cmp);
        let last = figures.len().checked_sub(1)?;
        let [first, median, third] =
            [1, 2, 3].map(|quarter| figures.get((last * quarter).div_ceil(4)).copied());
        Some(Self { first: first?, median: median?, third: third? })
    }
}

#[cfg(test)]
mod tests {
    use super::super::contenders::{BARE, STORE, UNHEARD};
    use super::*;

    #[test]
    fn a_round_is_told_by_the_request() {
        let latencies = (1..=101).rev().map(Duration::from_secs).collect();
        let took = Took { elapsed: Duration::from_secs(202), latencies };
        let round = Round::new(took, Duration::from_secs(303));
        assert_eq!(round, Round { cpu: 3.0, elapsed: 2.0, median: 51.0, p99: 100.0 });
    }

    #[test]
    fn ratios_are_those_of_the_same_round() {
        let round = |cpu| Round { cpu, elapsed: 1.0, median: 1.0, p99: 1.0 };
        // The machine was slower in the second and the third round, for both.
        let rounds = Rounds {
            contenders: vec![BARE, STORE],
            all: vec![[1.0, 10.0, 20.0].map(round).to_vec(), [1.5, 15.0, 10.0].map(round).to_vec()],
        };
        let beside = rounds.beside(STORE, BARE, |round| round.cpu);
        assert_eq!(beside, Some(Spread { first: 1.5, median: 1.5, third: 1.5 }));
        assert_eq!(rounds.spread(BARE, |round| round.cpu).unwrap().median, 10.0);
        assert_eq!(rounds.spread(UNHEARD, |round| round.cpu), None);
        assert_eq!(rounds.count(), 3);
    }

    #[test]
    fn a_spread_is_the_median_and_the_quartiles() {
        let spread = Spread::of((1..=5).rev().map(f64::from).collect());
        assert_eq!(spread, Some(Spread { first: 2.0, median: 3.0, third: 4.0 }));
    }
}
