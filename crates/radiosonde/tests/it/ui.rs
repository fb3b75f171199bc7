//! The messages for what does not compile, pinned, so that they stay such that people can act on them.
//!
//! After a change that is meant, `TRYBUILD=overwrite cargo test -p radiosonde --test it ui` pins the new ones: read them.

use std::io::{Write, stderr};
use std::process::Command;

/// The messages are the compiler's as well as ours, so they are compared with one version.
const COMPILER: &str = "rustc 1.95.0 ";

#[test]
fn what_does_not_compile_says_what_to_do() {
    let rustc = std::env::var_os("RUSTC").unwrap_or("rustc".into());
    let version = Command::new(rustc).arg("--version").output().unwrap().stdout;
    let version = String::from_utf8(version).unwrap();
    if version.starts_with(COMPILER) {
        trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
    } else {
        // Past the test harness, which shows only what failing tests print.
        let left_out = "LEFT OUT: the messages of what does not compile were not compared";
        writeln!(
            stderr(),
            "{left_out}: they are pinned for {COMPILER}and this is {}",
            version.trim()
        )
        .unwrap();
    }
}
