//! Programs of others that tests ask. One that is missing is never a pass: the test that needs it fails and says how to
//! get it.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A child process that does not survive its test.
pub(crate) struct Running(pub(crate) Child);

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only if it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The program that the environment names, or the first of this name on the path.
pub(crate) fn find(variable: &str, program: &str) -> Option<PathBuf> {
    let named = env::var_os(variable).filter(|named| !named.is_empty()).map(PathBuf::from);
    let found = || {
        let path = env::var_os("PATH")?;
        env::split_paths(&path)
            .map(|directory| directory.join(program))
            .find(|program| program.is_file())
    };
    named.or_else(found).filter(|program| program.is_file())
}

/// Prometheus' own tool, which is where Prometheus is.
pub(crate) fn promtool() -> PathBuf {
    let beside = |prometheus: PathBuf| Some(prometheus.parent()?.join("promtool"));
    let promtool = find("RADIOSONDE_PROMETHEUS", "prometheus").and_then(beside);
    promtool.filter(|program| program.is_file()).expect(
        "there is no promtool to ask. `./ci.sh test` fetches Debian's `prometheus`, which has it; or name yours: \
         RADIOSONDE_PROMETHEUS=/path/to/prometheus, with promtool beside it",
    )
}

/// A Python with the packages `prometheus_client`, `protobuf`, `posthog` and `snowplow-tracker`, running this program.
pub(crate) fn python(program: &Path) -> Command {
    let python = find("RADIOSONDE_PYTHON", "python3");
    let usable = |python: &PathBuf| {
        let mut import = Command::new(python);
        import
            .args(["-c", "import prometheus_client, google.protobuf, posthog, snowplow_tracker"])
            .stderr(Stdio::null());
        import.status().is_ok_and(|status| status.success())
    };
    let python = python.filter(usable).expect(
        "there is no Python with the packages `prometheus_client`, `protobuf`, `posthog` and `snowplow-tracker`. `./ci.sh \
         test` makes one; or name yours: RADIOSONDE_PYTHON=/path/to/python3",
    );
    let mut command = Command::new(python);
    command.arg("-u").arg(program);
    command
}

/// Grafana's own types, `@grafana/schema`, with a compiler for them beside: a directory of node's packages.
pub(crate) fn grafana_schema() -> PathBuf {
    let named = env::var_os("RADIOSONDE_GRAFANA_SCHEMA").map(PathBuf::from);
    let has_both = |directory: &PathBuf| {
        ["@grafana/schema", "typescript"].iter().all(|name| directory.join(name).is_dir())
    };
    assert!(
        find("", "node").is_some(),
        "there is no node to compile with. `./ci.sh test` installs Debian's"
    );
    named.filter(has_both).expect(
        "there is no `@grafana/schema` to judge with. `./ci.sh test` fetches it; or name yours: RADIOSONDE_GRAFANA_SCHEMA=\
         /path/to/node_modules, after `npm install @grafana/schema typescript`",
    )
}
