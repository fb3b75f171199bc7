//! What is read, compared with what others read: the files in `/proc`, and `ps`.

use std::fs::File;
use std::process::Command;
use std::sync::mpsc::channel;
use std::thread;

use nix::sys::resource::setrlimit;

use super::*;

/// A number of `/proc/self/status`.
fn status(key: &str) -> u64 {
    let text = fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find(|line| line.starts_with(key)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// A column that `ps` tells of this process.
fn ps(column: &str) -> String {
    let process = std::process::id().to_string();
    let output =
        Command::new("ps").args(["-o", &format!("{column}="), "-p", &process]).output().unwrap();
    assert!(output.status.success(), "install `ps` (Debian: procps): {output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn assert_close(ours: u64, theirs: u64, tolerance: u64) {
    assert!(
        ours.abs_diff(theirs) <= tolerance,
        "{ours} and {theirs} differ by more than {tolerance}"
    );
}

#[test]
fn memory_is_what_proc_and_ps_say() {
    const TOLERANCE: u64 = 64 << 20;
    let held = vec![1_u8; 256 << 20];
    let (resident, virtual_) = memory().unwrap();
    // Other tests take and give memory meanwhile; what is held here is four times as much.
    assert!(resident >= held.len() as u64 && virtual_ >= resident, "{resident} {virtual_}");
    assert_close(resident, status("VmRSS:") * 1024, TOLERANCE);
    assert_close(resident, ps("rss").parse::<u64>().unwrap() * 1024, TOLERANCE);
    // Each thread of the other tests takes and gives back address space, up to the 64 MiB of an arena.
    assert_close(virtual_, status("VmSize:") * 1024, 16 * TOLERANCE);
    assert_close(virtual_, ps("vsz").parse::<u64>().unwrap() * 1024, 16 * TOLERANCE);
    drop(std::hint::black_box(held));
}

/// In a process of its own, as other tests open files and start threads as they like.
#[test]
fn what_others_disturb_is_counted_exactly_in_a_process_of_its_own() {
    const ALONE: &str = "RADIOSONDE_POLLER_ALONE";
    if std::env::var_os(ALONE).is_some() {
        descriptors_are_counted_exactly();
        threads_are_counted_exactly();
        cpu_and_context_switches_are_those_of_all_threads();
        nothing_stays_open();
        return;
    }
    let test = thread::current().name().unwrap().to_owned();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &test, "--nocapture"])
        .env(ALONE, "1")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn descriptors_are_counted_exactly() {
    let (before, listed) =
        (open_file_descriptors().unwrap(), count_entries("/proc/self/fd").unwrap());
    assert_eq!(before, listed);
    assert_eq!(before, ls_count());
    let files: Vec<File> = (0..7).map(|_| File::open("/dev/null").unwrap()).collect();
    assert_eq!(open_file_descriptors().unwrap(), before + 7);
    assert_eq!(count_entries("/proc/self/fd").unwrap(), before + 7);
    drop(files);
    assert_eq!(open_file_descriptors().unwrap(), before);
    // The soft limit is what holds, so that it is made another one than the hard limit.
    let (_soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, hard.min(200), hard).unwrap();
    assert_eq!(maximum_file_descriptors().unwrap(), 200);
    let limits = fs::read_to_string("/proc/self/limits").unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    assert_eq!(
        line.split_whitespace().nth(3).unwrap(),
        maximum_file_descriptors().unwrap().to_string()
    );
}

/// How many descriptors this process has, as seen by another one, without the one for its answer.
fn ls_count() -> u64 {
    let directory = format!("/proc/{}/fd", std::process::id());
    let answer = std::env::temp_dir().join(format!("radiosonde-poller-fd-{}", std::process::id()));
    let file = File::create(&answer).unwrap();
    assert!(Command::new("ls").arg(directory).stdout(file).status().unwrap().success());
    let count = fs::read_to_string(&answer).unwrap().lines().count() as u64;
    fs::remove_file(&answer).unwrap();
    count - 1
}

fn threads_are_counted_exactly() {
    let before = threads().unwrap();
    assert_eq!(before, status("Threads:"));
    assert_eq!(before.to_string(), ps("nlwp"));
    let (hold, held) = channel::<()>();
    let thread = thread::spawn(move || held.recv());
    assert_eq!(threads().unwrap(), before + 1);
    drop(hold);
    thread.join().unwrap().unwrap_err();
}

fn cpu_and_context_switches_are_those_of_all_threads() {
    let busy = || {
        let (user, system) = cpu().unwrap();
        (user + system).as_nanos() as u64
    };
    let (before, switches) = (busy(), context_switches().unwrap());
    let first_thread = status("voluntary_ctxt_switches:");
    thread::spawn(move || {
        let start = busy();
        while busy() - start < 200_000_000 {}
        // It waits a hundred times.
        (0..100).for_each(|_| thread::sleep(Duration::from_micros(50)));
    })
    .join()
    .unwrap();
    // The thread is gone, and what it did is still counted.
    let after = context_switches().unwrap();
    assert!(busy() - before >= 200_000_000);
    assert!(after.0 >= switches.0 + 100 && after.1 >= switches.1, "{switches:?} {after:?}");
    assert!(
        status("voluntary_ctxt_switches:") < first_thread + 100,
        "the first thread has not waited as often"
    );
    let ps = ps("cputimes").parse::<u64>().unwrap() * 1_000_000_000;
    assert_close(busy(), ps, 1_000_000_000 + 50_000_000);
}

fn nothing_stays_open() {
    let descriptors = count_entries("/proc/self/fd").unwrap();
    let poller = crate::Poller::builder().manual().measurements(crate::process_measurements());
    let poller = poller.start().unwrap();
    for _ in 0..100 {
        poller.refresh();
        count_entries("/proc/self/fd").unwrap();
    }
    assert_eq!(count_entries("/proc/self/fd").unwrap(), descriptors);
}

#[test]
fn io_is_what_the_kernel_accounts() {
    let text = || fs::read_to_string("/proc/self/io").unwrap();
    let number = |text: &str, key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(key)).unwrap();
        line.trim().parse::<u64>().unwrap()
    };
    let before = text();
    let (read, written) = io().unwrap();
    let after = text();
    assert!((number(&before, "read_bytes:")..=number(&after, "read_bytes:")).contains(&read));
    assert!((number(&before, "write_bytes:")..=number(&after, "write_bytes:")).contains(&written));
}

#[test]
fn uptime_and_start_are_those_of_the_process() {
    let (first, second) = (uptime().unwrap(), uptime().unwrap());
    assert!(second >= first);
    // `ps` has whole seconds.
    assert_close(uptime().unwrap().as_secs(), ps("etimes").parse().unwrap(), 1);
    let start = start_time().unwrap();
    assert_eq!(start, start_time().unwrap(), "it does not move");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    assert_close((start + uptime().unwrap()).as_secs(), now.as_secs(), 1);
}
