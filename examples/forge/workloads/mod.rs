//! What the application is asked to do, how often, and by how many at once.
//!
//! The callers count what they are given, as the stubs count what they give; neither knows the bus.

pub(crate) mod atlas;
pub(crate) mod churn;
pub(crate) mod database;
pub(crate) mod memory;
mod pace;
pub(crate) mod scrapers;
pub(crate) mod storage;
pub(crate) mod tuist;

pub(crate) use pace::{Pace, panic_on};

use fastrand::Rng;
use radiosonde_tokio::TaskKind;

use crate::chaos::tasks::ERRAND;

/// Those who take the turns of a workload.
static TURNS: TaskKind = TaskKind::new("forge.turns");
/// One of those who want a token at the same moment.
static HERD_MEMBER: TaskKind = TaskKind::new("forge.herd_member");
/// One of those who use the database at the same time.
static DATABASE_CLIENT: TaskKind = TaskKind::new("forge.database_client");

/// The kinds of tasks that are told apart.
pub(crate) const TASKS: [&TaskKind; 4] = [&TURNS, &HERD_MEMBER, &DATABASE_CLIENT, &ERRAND];

/// The randomness of one turn of one workload, so that it is the same whoever takes the turn, and when.
pub(crate) fn rng(seed: u64, workload: u64, turn: u64) -> Rng {
    Rng::with_seed(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ (workload << 56) ^ turn)
}
