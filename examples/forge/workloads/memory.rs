//! How much memory the process has, from second to second.

use std::fs;
use std::sync::Arc;

use parking_lot::Mutex;

use super::Pace;

/// The resident memory of this process in bytes, where that can be known.
pub(crate) fn resident() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

/// The resident memory of each minute, which is its median: what comes and goes with what is being done is not in it.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    pub(crate) minutes: Vec<u64>,
    seconds: Vec<u64>,
}

impl Memory {
    fn add(&mut self, bytes: u64) {
        self.seconds.push(bytes);
        if self.seconds.len() == 60 {
            self.seconds.sort_unstable();
            self.minutes.push(self.seconds[30]);
            self.seconds.clear();
        }
    }
}

/// Looks once a second.
pub(crate) async fn watch(seen: Arc<Mutex<Memory>>, pace: Pace) {
    let look = move |_| {
        let seen = seen.clone();
        async move { seen.lock().add(resident().unwrap_or_default()) }
    };
    pace.turns(1, 1.0, look).await;
}
