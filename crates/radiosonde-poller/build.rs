//! Tells the crate which compiler builds it, for the build information.
use std::env;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let version =
        env::var_os("RUSTC").and_then(|rustc| Command::new(rustc).arg("--version").output().ok());
    let version =
        version.and_then(|output| String::from_utf8(output.stdout).ok()).unwrap_or_default();
    // `rustc 1.95.0 (59807616e 2026-04-14)`: the number is enough to tell builds apart.
    let number = version.split(' ').nth(1).unwrap_or("unknown");
    println!("cargo::rustc-env=RADIOSONDE_RUSTC={number}");
    let target = env::var("TARGET").unwrap_or_else(|_| "unknown".to_owned());
    println!("cargo::rustc-env=RADIOSONDE_TARGET={target}");
}
