//! Measuring one case: the child process that does the work, and the parent's side of it.
//!
//! The parent writes a number of iterations, a line each time, to the child's standard input; the
//! child does them and answers with the nanoseconds they took. Between two lines the child waits
//! and costs nothing, so that the rounds of several children can take turns.

use std::error::Error;
use std::fmt::Display;
use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use crate::run::{Contender, Run};

/// What the child answers before the first round.
const READY: &str = "ready";
/// What the child answers when the contender has nothing of the kind.
const NOTHING_OF_THE_KIND: &str = "nothing of the kind";

/// One contender doing one piece of work in some threads at a time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case<W> {
    pub(crate) contender: Contender<W>,
    pub(crate) work: W,
    pub(crate) threads: usize,
}

/// How long to measure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// Every repetition starts all processes afresh, with a memory layout of their own.
    pub(crate) repetitions: usize,
    /// Rounds in each repetition, in which the cases take turns.
    pub(crate) rounds: usize,
    /// How long a round takes at least: as short as the machine's clock allows, because a round in
    /// which another process had its turn is lost.
    pub(crate) round: Duration,
}

impl Plan {
    pub(crate) const FULL: Self =
        Self { repetitions: 5, rounds: 101, round: Duration::from_micros(800) };
    /// Shows that everything runs, and measures nothing.
    pub(crate) const QUICK: Self =
        Self { repetitions: 1, rounds: 1, round: Duration::from_micros(1) };
}

impl Plan {
    /// For several threads: so long that the moment in which only one of them runs does not count.
    pub(crate) fn of_long_rounds(self) -> Self {
        Self { rounds: self.rounds.div_ceil(5), round: self.round * 16, ..self }
    }
}

/// The child's side: does the rounds that standard input asks for, until it is closed.
pub(crate) fn serve<W>(case: Case<W>) -> Result<(), Box<dyn Error>> {
    let mut answers = io::stdout().lock();
    let Some(run) = (case.contender.prepare)(case.work) else {
        writeln!(answers, "{NOTHING_OF_THE_KIND}")?;
        return Ok(());
    };
    writeln!(answers, "{READY}")?;
    let mut done = 0;
    for line in io::stdin().lines() {
        let round = time(&run, line?.parse()?, case.threads);
        done += round.operations;
        writeln!(answers, "{}", round.duration.as_nanos())?;
    }
    match run.recorded() {
        Some(recorded) if recorded != done => {
            Err(format!("`{}` did {done}, and recorded {recorded}", case.contender.name).into())
        }
        _ => Ok(()),
    }
}

/// What was done, and how long it took.
#[derive(Clone, Copy, Debug)]
struct Round {
    operations: u64,
    duration: Duration,
}

impl Round {
    /// Both at once.
    fn beside(self, other: Self) -> Self {
        Self {
            operations: self.operations + other.operations,
            duration: self.duration.max(other.duration),
        }
    }
}

/// How long `threads` threads take, side by side, for `iterations` each.
fn time(run: &Run, iterations: u64, threads: usize) -> Round {
    if threads == 1 {
        return timed(run, iterations, 0);
    }
    let together = &Barrier::new(threads);
    let in_step = |thread| {
        move || {
            together.wait();
            timed(run, iterations, thread)
        }
    };
    thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|thread| scope.spawn(in_step(thread))).collect();
        let own = in_step(0)();
        // A thread that panicked has no time; the panic is already on standard error.
        others.into_iter().filter_map(|other| other.join().ok()).fold(own, Round::beside)
    })
}

/// The part of a process that counts: `callgrind` knows it by its name.
#[inline(never)]
fn timed(run: &Run, iterations: u64, thread: usize) -> Round {
    let start = Instant::now();
    let operations = run.work(iterations, thread);
    Round { operations, duration: start.elapsed() }
}

/// The parent's side of a child process that is ready for its rounds.
#[derive(Debug)]
struct Worker {
    process: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
    threads: usize,
    iterations: u64,
}

impl Worker {
    /// Starts `case` in a process of its own, warms it up, and finds how many iterations fill a
    /// round; `None` when the contender has nothing of the kind.
    fn start<W: Display>(case: &Case<W>, round: Duration) -> Result<Option<Self>, Box<dyn Error>> {
        let mut process =
            command(case, &[])?.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (Some(requests), Some(answers)) = (process.stdin.take(), process.stdout.take()) else {
            return Err("a child without pipes".into());
        };
        let answers = BufReader::new(answers);
        let mut worker =
            Self { process, requests, answers, threads: case.threads, iterations: 1_000 };
        match worker.answer()?.as_str() {
            NOTHING_OF_THE_KIND => return worker.stop().map(|()| None),
            READY => {}
            other => {
                return Err(format!(
                    "`{}` answered `{other}` to “{}”",
                    case.contender.name, case.work
                )
                .into());
            }
        }
        while worker.round()? < round {
            worker.iterations *= 2;
        }
        Ok(Some(worker))
    }

    fn answer(&mut self) -> Result<String, Box<dyn Error>> {
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    }

    fn round(&mut self) -> Result<Duration, Box<dyn Error>> {
        writeln!(self.requests, "{}", self.iterations)?;
        Ok(Duration::from_nanos(self.answer()?.parse()?))
    }

    /// A round's nanoseconds for one operation, of all threads' operations together.
    fn nanoseconds(&mut self) -> Result<f64, Box<dyn Error>> {
        let operations = self.iterations as f64 * self.threads as f64;
        Ok(self.round()?.as_nanos() as f64 / operations)
    }

    /// Lets the process end, and checks that it ended well.
    fn stop(self) -> Result<(), Box<dyn Error>> {
        let Self { mut process, requests, .. } = self;
        drop(requests);
        let status = process.wait()?;
        if status.success() { Ok(()) } else { Err(format!("a child ended with {status}").into()) }
    }
}

/// This program again, as the child of one case, behind `wrapper` if there is one.
pub(crate) fn command<W: Display>(
    case: &Case<W>,
    wrapper: &[&str],
) -> Result<Command, Box<dyn Error>> {
    let this = std::env::current_exe()?;
    let mut command = match wrapper {
        [] => Command::new(this),
        [program, arguments @ ..] => {
            let mut command = Command::new(program);
            command.args(arguments).arg(this);
            command
        }
    };
    command.args([
        "--case",
        case.contender.name,
        &case.work.to_string(),
        &case.threads.to_string(),
    ]);
    Ok(command)
}

/// The nanoseconds of one operation in each round, in the order of the rounds.
pub(crate) type Rounds = Vec<f64>;

/// The rounds in which the machine was left alone, as far as a probe beside the others could tell.
#[derive(Clone, Debug)]
pub(crate) struct Quiet {
    rounds: Vec<bool>,
    pub(crate) count: usize,
}

impl Quiet {
    /// So many say something.
    const ENOUGH: usize = 10;

    /// All of them, where there are not enough that are quiet.
    pub(crate) fn new(rounds: Vec<bool>) -> Self {
        match rounds.iter().filter(|quiet| **quiet).count() {
            count @ Self::ENOUGH.. => Self { rounds, count },
            _ => Self { rounds: vec![true; rounds.len()], count: 0 },
        }
    }
}

/// The nanoseconds of one operation, over some rounds.
#[derive(Clone, Debug)]
pub(crate) struct Samples {
    sorted: Vec<f64>,
}

impl Samples {
    pub(crate) fn of(rounds: &Rounds, quiet: &Quiet) -> Option<Self> {
        let kept = rounds.iter().zip(&quiet.rounds).filter(|(_, quiet)| **quiet);
        let mut sorted: Vec<f64> = kept.map(|(round, _)| *round).collect();
        sorted.sort_by(f64::total_cmp);
        (!sorted.is_empty()).then_some(Self { sorted })
    }

    /// The value below which `share` of the rounds lie.
    pub(crate) fn quantile(&self, share: f64) -> f64 {
        self.sorted[((self.sorted.len() - 1) as f64 * share).round() as usize]
    }
}

/// Measures `cases` side by side: in every round each has its turn, so that whatever else the
/// machine does hits all. There are no rounds of a contender that has nothing of the kind.
pub(crate) fn side_by_side<W: Display>(
    cases: &[Case<W>],
    plan: Plan,
) -> Result<Vec<Rounds>, Box<dyn Error>> {
    let mut samples = vec![Vec::new(); cases.len()];
    for _ in 0..plan.repetitions {
        let mut workers = cases
            .iter()
            .map(|case| Worker::start(case, plan.round))
            .collect::<Result<Vec<_>, _>>()?;
        for _ in 0..plan.rounds {
            for (worker, samples) in workers.iter_mut().zip(&mut samples) {
                if let Some(worker) = worker {
                    samples.push(worker.nanoseconds()?);
                }
            }
        }
        workers.into_iter().flatten().try_for_each(Worker::stop)?;
    }
    Ok(samples)
}

/// What of this process is in memory, exactly.
pub(crate) fn resident_bytes() -> Result<f64, Box<dyn Error>> {
    let rollup = std::fs::read_to_string("/proc/self/smaps_rollup")?;
    let kibibytes = rollup
        .lines()
        .find_map(|line| line.strip_prefix("Rss:")?.trim().strip_suffix(" kB"))
        .ok_or("no `Rss` in `/proc/self/smaps_rollup`")?;
    Ok(kibibytes.parse::<f64>()? * 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_in_which_the_machine_was_disturbed_do_not_count() {
        let rounds: Rounds = (0..30).map(f64::from).collect();
        let samples = |quiet: fn(&f64) -> bool| {
            let quiet = Quiet::new(rounds.iter().map(quiet).collect());
            (Samples::of(&rounds, &quiet).unwrap().quantile(0.5), quiet.count)
        };
        assert_eq!(samples(|round| *round < 11.0), (5.0, 11));
        assert_eq!(samples(|round| *round < 5.0), (15.0, 0), "too few to say something");
    }

    #[test]
    fn the_median_ignores_a_round_that_was_disturbed() {
        let quiet = Quiet::new(vec![true; 5]);
        let samples = Samples::of(&vec![3.0, 900.0, 1.0, 2.0, 4.0], &quiet).unwrap();
        assert_eq!(samples.quantile(0.5), 3.0);
        assert_eq!(samples.quantile(0.25), 2.0);
        assert_eq!(samples.quantile(1.0), 900.0);
    }

    #[test]
    fn no_rounds_are_no_samples() {
        assert!(Samples::of(&Vec::new(), &Quiet::new(Vec::new())).is_none());
    }

    #[test]
    fn every_thread_does_all_iterations() {
        let done = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
        let counted = std::sync::Arc::clone(&done);
        let run = Run::new(move |iterations, _| {
            counted.fetch_add(iterations, std::sync::atomic::Ordering::Relaxed);
            iterations
        });
        assert_eq!(time(&run, 10, 3).operations, 30);
        assert_eq!(done.load(std::sync::atomic::Ordering::Relaxed), 30);
    }
}
