//! The process as other systems than Linux tell of it: not at all.

use std::io;
use std::time::Duration;

fn unsupported<T>() -> io::Result<T> {
    let message = "the process is measured through `/proc`, which only Linux has; leave `process_measurements()` and `process_metrics()` out on this system";
    Err(io::Error::new(io::ErrorKind::Unsupported, message))
}

pub(crate) fn cpu() -> io::Result<(Duration, Duration)> {
    unsupported()
}

pub(crate) fn memory() -> io::Result<(u64, u64)> {
    unsupported()
}

pub(crate) fn open_file_descriptors() -> io::Result<u64> {
    unsupported()
}

pub(crate) fn maximum_file_descriptors() -> io::Result<u64> {
    unsupported()
}

pub(crate) fn threads() -> io::Result<u64> {
    unsupported()
}

pub(crate) fn context_switches() -> io::Result<(u64, u64)> {
    unsupported()
}

pub(crate) fn io() -> io::Result<(u64, u64)> {
    unsupported()
}

pub(crate) fn uptime() -> io::Result<Duration> {
    unsupported()
}

pub(crate) fn start_time() -> io::Result<Duration> {
    unsupported()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elsewhere_the_error_says_that_only_linux_has_it() {
        let error = open_file_descriptors().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::Unsupported);
        assert!(error.to_string().contains("only Linux has"), "{error}");
        let kinds = [
            cpu().map(drop).unwrap_err().kind(),
            memory().map(drop).unwrap_err().kind(),
            maximum_file_descriptors().map(drop).unwrap_err().kind(),
            threads().map(drop).unwrap_err().kind(),
            context_switches().map(drop).unwrap_err().kind(),
            io().map(drop).unwrap_err().kind(),
            uptime().map(drop).unwrap_err().kind(),
            start_time().map(drop).unwrap_err().kind(),
        ];
        assert!(kinds.iter().all(|kind| *kind == io::ErrorKind::Unsupported));
    }
}
