#!/usr/bin/env bash
# Runs the repository's checks: `./ci.sh` all of them, `./ci.sh fmt lint` the named ones, `./ci.sh --list` tells the names.
# Needs Rust, and Debian's package manager for what the tests talk to. Whatever cannot be had is reported as LEFT OUT.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")" || exit 1

steps=(fmt lint test docs examples forge features deny msrv abort loom sanitize miri bench)
target=${CARGO_TARGET_DIR:-target}
host=$(rustc -vV | sed -n 's/^host: //p')
reasons=$(mktemp)
trap 'rm -f "$reasons"' EXIT
export RUST_BACKTRACE=${RUST_BACKTRACE:-1}

# `without <reason>`: the step goes on without a part of it. `leave_out <reason>`: the whole step ends here.
without() { echo "LEFT OUT: $*" | tee -a "$reasons" >&2; }
leave_out() { without "$@"; exit 77; }

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi; }

# A nightly compiler with these components; nothing is fetched where they are there already.
nightly() {
    cargo +nightly --version >/dev/null 2>&1 || rustup toolchain install nightly --profile minimal >&2 || return 1
    for component in "$@"; do
        rustup component list --toolchain nightly --installed | grep -q "^$component" ||
            rustup component add "$component" --toolchain nightly >&2 || return 1
    done
}

# Brings a Debian package into $target/peers without installing it.
unpack() {
    local package=$1 program=$2 directory
    directory="$(mkdir -p "$target/peers" && cd "$target/peers" && pwd)"
    if ! [ -x "$directory/$program" ]; then
        (cd "$directory" && { apt-get download "$package" || { as_root apt-get update && apt-get download "$package"; }; } &&
            dpkg -x "$package"_*.deb . && rm -f "$package"_*.deb) >&2 || return 1
    fi
    echo "$directory/$program"
}

# Whether there is a program, which Debian has in a package.
has() {
    local program=$1 package=$2
    command -v "$program" >/dev/null || as_root apt-get install --yes "$package" >&2 || {
        as_root apt-get update && as_root apt-get install --yes "$package"
    } >&2
}

# What builds C code, such as jemalloc.
has_make() { has make make; }

library_crates() { for manifest in crates/*/Cargo.toml; do basename "$(dirname "$manifest")"; done; }

step_fmt() { cargo fmt --all --check; }

step_lint() { cargo clippy --workspace --all-targets --locked -- -D warnings; }

step_test() {
    # Where there is none, the test that needs it fails and says how to get it: a peer that is missing is never a pass.
    RADIOSONDE_PROMETHEUS=${RADIOSONDE_PROMETHEUS:-$(command -v prometheus || unpack prometheus usr/bin/prometheus || true)}
    RADIOSONDE_PUSHGATEWAY=${RADIOSONDE_PUSHGATEWAY:-$(command -v prometheus-pushgateway || unpack prometheus-pushgateway usr/bin/prometheus-pushgateway || true)}
    export RADIOSONDE_PROMETHEUS RADIOSONDE_PUSHGATEWAY
    if [ -z "${RADIOSONDE_PYTHON:-}" ]; then
        local python
        python="$(mkdir -p "$target/peers" && cd "$target/peers" && pwd)/python"
        "$python/bin/python" -c "import prometheus_client, google.protobuf, posthog, snowplow_tracker" 2>/dev/null ||
            { python3 -m venv "$python" && "$python/bin/pip" install --quiet prometheus_client protobuf posthog snowplow-tracker; } || true
        export RADIOSONDE_PYTHON=$python/bin/python
    fi
    # Grafana's own types, and what compiles them.
    if [ -z "${RADIOSONDE_GRAFANA_SCHEMA:-}" ]; then
        local schema
        schema="$(mkdir -p "$target/peers/grafana-schema" && cd "$target/peers/grafana-schema" && pwd)"
        [ -d "$schema/node_modules/@grafana/schema" ] || { has npm npm &&
            npm install --silent --no-audit --no-fund --prefix "$schema" @grafana/schema@13.2.3 typescript@5; } >&2 || true
        export RADIOSONDE_GRAFANA_SCHEMA=$schema/node_modules
    fi
    # loom explores too much for a build without optimisation: it has a step of its own.
    cargo test --workspace --exclude radiosonde-loom --locked
    # Of some things tokio tells in such builds alone.
    RUSTFLAGS="--cfg tokio_unstable" cargo test --locked --target-dir "$target/unstable" --package radiosonde-tokio --all-features
    # In a program of its own, whose allocator is jemalloc.
    if has_make; then
        cargo test --locked --package radiosonde-tests --features jemalloc --test allocator
        cargo check --locked --package radiosonde-examples --features jemalloc --example forge
        cargo test --locked --package radiosonde-poller --features jemalloc --doc allocator
    else
        without "jemalloc was not built, and its metrics were not tested: there is no make and none could be installed (apt-get install make)"
    fi
}

step_docs() {
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked
    if command -v mdbook >/dev/null; then mdbook build docs; else
        without "the book was not rendered: mdbook is not installed (cargo install mdbook); its code is compiled by the step \`test\`"
    fi
}

# Every file of the directory, so that none can be forgotten; `forge` has a step of its own.
step_examples() {
    for file in examples/*.rs; do
        cargo run --quiet --locked --package radiosonde-examples --example "$(basename "$file" .rs)"
    done
}

step_forge() {
    cargo run --release --locked --example forge -- --seconds 10 --metrics-port 0
    cargo run --release --locked --example forge -- --chaos --seconds 10 --metrics-port 0
    # Who does not want to be tracked: nothing connects to what receives.
    DO_NOT_TRACK=1 cargo run --release --locked --example forge -- --seconds 2 --metrics-port 0
}

# Each crate alone: what another crate of the workspace turns on must not hide what this one needs.
step_features() {
    for crate in $(library_crates); do
        cargo check --quiet --locked --package "$crate" --no-default-features
        if [ "$crate" = radiosonde-poller ] && ! has_make; then
            without "all features of $crate together: there is no make and none could be installed (apt-get install make)"
            continue
        fi
        cargo check --quiet --locked --package "$crate" --all-features
    done
}

step_deny() {
    command -v cargo-deny >/dev/null ||
        leave_out "cargo-deny is not installed (cargo install cargo-deny): advisories were not looked up; licences are checked by the step \`test\`"
    cargo deny --all-features check
}

step_msrv() {
    local version packages=()
    version=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
    cargo "+$version" --version >/dev/null 2>&1 || rustup toolchain install "$version" --profile minimal >&2 ||
        leave_out "Rust $version is not installed and could not be (rustup toolchain install $version): only clippy's incompatible_msrv and the dependencies' own rust-version were checked, by the steps \`lint\` and \`test\`"
    for crate in $(library_crates); do packages+=(--package "$crate"); done
    cargo "+$version" check --locked "${packages[@]}"
}

# The core must compile and work where a panic ends the process.
step_abort() {
    CARGO_PROFILE_DEV_PANIC=abort cargo run --quiet --locked --target-dir "$target/abort" \
        --package radiosonde-examples --example hello
    CARGO_PROFILE_DEV_PANIC=abort cargo run --quiet --locked --target-dir "$target/abort" \
        --package radiosonde --example panics
}

step_loom() { cargo test --release --locked --package radiosonde-loom; }

step_sanitize() {
    nightly || leave_out "there is no nightly toolchain and none could be installed (rustup toolchain install nightly)"
    # Leaks are counted by the tests themselves, to the byte; here tests that forget something on purpose would be in the way.
    ASAN_OPTIONS=detect_leaks=0 RUSTFLAGS="-Zsanitizer=address" \
        cargo +nightly test --locked --target-dir "$target/address" \
        --target "$host" --package radiosonde --lib --test it -- --skip ui::

    # With rust-src the standard library is built with the sanitizer, too. Without it what happens inside it is invisible:
    # optimised code inlines most of it, and tests/thread-sanitizer.supp says what is not looked at then.
    local build_std=() options="suppressions=$PWD/tests/thread-sanitizer.supp"
    if nightly rust-src; then
        build_std=(-Zbuild-std)
        options=""
    else
        without "races around what an Arc frees: the standard library is not instrumented (rustup component add rust-src --toolchain nightly)"
    fi
    TSAN_OPTIONS=$options CARGO_PROFILE_RELEASE_DEBUG=1 \
        RUSTFLAGS="-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer --cfg radiosonde_fence" \
        cargo +nightly test "${build_std[@]}" --release --locked --target-dir "$target/thread" \
        --target "$host" --package radiosonde --test it -- --test-threads=1 stress model teardown
}

step_miri() {
    nightly miri rust-src ||
        leave_out "Miri is not installed and could not be (rustup component add miri rust-src --toolchain nightly)"
    # Leaks are counted elsewhere, to the byte; here what the global bus holds at the end would count as one. What is left out
    # are tests of many rounds, of time, and of whole processes, which take hours or do not run there.
    MIRIFLAGS="-Zmiri-disable-isolation -Zmiri-ignore-leaks -Zmiri-permissive-provenance" \
        cargo +nightly miri test --locked --target-dir "$target/miri" --package radiosonde --test it -- \
        --test-threads=1 --skip reads_no_clock contract_attach contract_execute contract_spans contract_values teardown
}

# Instruction counts, which no load of the machine changes; times are for people: `cargo bench -p radiosonde-benches`.
step_bench() {
    command -v valgrind >/dev/null || as_root apt-get install --yes valgrind || {
        as_root apt-get update && as_root apt-get install --yes valgrind
    } || leave_out "valgrind is not installed and could not be (apt-get install valgrind)"
    cargo bench --locked --package radiosonde-benches -- --check
    # Without optimisation, which takes minutes: that every service runs and counts what it is asked.
    cargo test --locked --package radiosonde-benches --features http
    cargo bench --profile dev --locked --package radiosonde-benches --features http --bench http -- --quick
    # Delivery's peers are built on OpenSSL.
    if pkg-config --exists openssl || as_root apt-get install --yes libssl-dev pkg-config ||
        { as_root apt-get update && as_root apt-get install --yes libssl-dev pkg-config; }; then
        cargo test --locked --package radiosonde-benches --features delivery
    else
        without "the benchmark of delivery was not built: there are no headers of OpenSSL (apt-get install libssl-dev pkg-config)"
    fi
}

if [ "${1:-}" = --list ]; then printf '%s\n' "${steps[@]}" && exit; fi
chosen=("$@")
[ $# -gt 0 ] || chosen=("${steps[@]}")
summary=() failed=0
for step in "${chosen[@]}"; do
    declare -F "step_$step" >/dev/null || { echo "ci.sh: there is no step \`$step\`; known: ${steps[*]}" >&2; exit 2; }
done
for step in "${chosen[@]}"; do
    echo "=== $step" >&2
    : >"$reasons"
    started=$SECONDS
    (set -e; "step_$step")
    case $? in
        0) verdict=ok ;;
        77) verdict="--" ;;
        *) verdict=FAILED failed=1 ;;
    esac
    line=$(printf '%-9s %4ss  %s %s' "$step" $((SECONDS - started)) "$verdict" "$(paste -sd ' ' "$reasons")")
    summary+=("${line% }")
done
printf '\n'
printf '%s\n' "${summary[@]}"
exit "$failed"
