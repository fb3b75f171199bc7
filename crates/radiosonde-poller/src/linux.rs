//! The process as Linux tells of it.

use std::fs;
use std::io;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage};
use nix::sys::time::TimeVal;
use nix::time::{ClockId, clock_gettime};
use nix::unistd::{SysconfVar, sysconf};
use procfs_core::process::{Io, Stat};
use procfs_core::{FromRead, ProcError};

/// User and system time of all threads, ended ones included.
///
/// From the kernel's own sums, which are exact, and not from `/proc`, which has hundredths of seconds.
pub(crate) fn cpu() -> io::Result<(Duration, Duration)> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    Ok((duration(usage.user_time()), duration(usage.system_time())))
}

/// Bytes of memory, resident and virtual.
pub(crate) fn memory() -> io::Result<(u64, u64)> {
    let stat = stat()?;
    Ok((stat.rss.saturating_mul(sysconf_number(SysconfVar::PAGE_SIZE)?), stat.vsize))
}

/// The number of open file descriptors, without any that is opened to find out.
pub(crate) fn open_file_descriptors() -> io::Result<u64> {
    const DIRECTORY: &str = "/proc/self/fd";
    // Since Linux 6.2 the directory's size is the number of its entries.
    let size = fs::metadata(DIRECTORY)?.len();
    if size > 0 { Ok(size) } else { count_entries(DIRECTORY) }
}

/// The number of entries of a directory of file descriptors, without the one through which they are read.
fn count_entries(directory: &str) -> io::Result<u64> {
    Ok((fs::read_dir(directory)?.count() as u64).saturating_sub(1))
}

/// The soft limit of file descriptors.
pub(crate) fn maximum_file_descriptors() -> io::Result<u64> {
    let (soft, _hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    Ok(soft)
}

/// The number of threads.
pub(crate) fn threads() -> io::Result<u64> {
    Ok(u64::try_from(stat()?.num_threads).unwrap_or_default())
}

/// Voluntary and involuntary context switches of all threads, ended ones included.
///
/// `/proc/self/status` has those of the first thread alone.
pub(crate) fn context_switches() -> io::Result<(u64, u64)> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    let count = |count: i64| u64::try_from(count).unwrap_or_default();
    Ok((count(usage.voluntary_context_switches()), count(usage.involuntary_context_switches())))
}

/// Bytes read from and written to storage.
pub(crate) fn io() -> io::Result<(u64, u64)> {
    let io = Io::from_file("/proc/self/io").map_err(|failed| error(&failed))?;
    Ok((io.read_bytes, io.write_bytes))
}

/// How long the process has been running.
pub(crate) fn uptime() -> io::Result<Duration> {
    Ok(since_boot()?.saturating_sub(started_since_boot()?))
}

/// When the process was started, since 1970. It stays the same when somebody sets the clock.
pub(crate) fn start_time() -> io::Result<Duration> {
    static START: OnceLock<Duration> = OnceLock::new();
    if let Some(start) = START.get() {
        return Ok(*start);
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let start = now.saturating_sub(uptime()?);
    Ok(*START.get_or_init(|| start))
}

/// How long after the boot the process was started.
fn started_since_boot() -> io::Result<Duration> {
    static START: OnceLock<Duration> = OnceLock::new();
    if let Some(start) = START.get() {
        return Ok(*start);
    }
    let ticks_per_second = sysconf_number(SysconfVar::CLK_TCK)?.max(1);
    let ticks = stat()?.starttime;
    let nanoseconds = u128::from(ticks) * 1_000_000_000 / u128::from(ticks_per_second);
    let start = Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX));
    Ok(*START.get_or_init(|| start))
}

fn since_boot() -> io::Result<Duration> {
    Ok(clock_gettime(ClockId::CLOCK_BOOTTIME)?.into())
}

fn stat() -> io::Result<Stat> {
    Stat::from_file("/proc/self/stat").map_err(|failed| error(&failed))
}

fn sysconf_number(variable: SysconfVar) -> io::Result<u64> {
    let number = sysconf(variable)?.and_then(|number| u64::try_from(number).ok());
    number.ok_or_else(|| io::Error::other(format!("the system does not know its {variable:?}")))
}

fn duration(time: TimeVal) -> Duration {
    let part = |number| u64::try_from(number).unwrap_or_default();
    Duration::from_secs(part(time.tv_sec())) + Duration::from_micros(part(time.tv_usec()))
}

fn error(error: &ProcError) -> io::Error {
    io::Error::other(error.to_string())
}

#[cfg(test)]
mod tests;
