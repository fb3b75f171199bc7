//! Deploys that fail, fall silent, never end, or say more than a line can hold.

use super::injected;
use crate::app::deploys::deploy;
use crate::workloads::Pace;
use crate::workloads::atlas::Deployer;
use crate::world::tally::Tally;

const FAILED: &str = "a deploy exits with an error";
const SILENT: &str = "a deploy falls silent";
const ENDLESS: &str = "a deploy never stops talking";
const UNFINISHED: &str = "a deploy says 1 MiB without an end of line";
const NOT_TEXT: &str = "a deploy says what is no text";
const CUT: &str = "a deploy says half a line at a time";

/// Every failure of this group.
pub(super) const FAILURES: [&str; 6] = [FAILED, SILENT, ENDLESS, UNFINISHED, NOT_TEXT, CUT];

/// The metrics of the tally with the lines of endless deploys: those that were printed, and those that somebody waited for.
pub(crate) const SAID: &str = "forge_endless_deploy_lines_said";
pub(crate) const HEARD: &str = "forge_endless_deploy_lines_heard";

/// Starts deploys that go wrong, beside those that there are.
pub(super) async fn start(deployer: Deployer, pace: Pace) {
    let start = move |turn| {
        let deployer = deployer.clone();
        async move {
            match turn % 4 {
                0 => never_ending(&deployer, turn).await,
                1 => {
                    injected(&deployer.tally, UNFINISHED);
                    one(&deployer, turn, &["--unfinished", "--exit-code=0"]).await;
                }
                2 => drop(one(&deployer, turn, &["--exit-code=1"]).await),
                _ => drop(one(&deployer, turn, &[]).await),
            }
        }
    };
    pace.turns(2, 0.4, start).await;
}

async fn one(deployer: &Deployer, turn: u64, how: &[&str]) -> Option<u64> {
    let mut arguments = vec!["--fake-deploy".to_owned(), "--lines=40".to_owned()];
    arguments.push(format!("--ledger={}", deployer.deploy_ledger.display()));
    arguments.extend(how.iter().map(|&how| how.to_owned()));
    // What cannot be started was not injected, and the check will say so.
    deploy(&format!("trouble-{turn}"), &deployer.program, &arguments).await.ok()
}

/// How many lines it printed before it was killed, and how many of them were heard, it cannot say; who waited for it can.
async fn never_ending(deployer: &Deployer, turn: u64) {
    let Some(lines) = one(deployer, turn, &["--endless"]).await else { return };
    injected(&deployer.tally, ENDLESS);
    deployer.tally.add(HEARD, &[], lines);
    deployer.tally.add("atlas_deploy_lines", &[], lines);
    deployer.tally.add("atlas_deploy_exit_total", &[("result", "timeout")], 1);
}

/// Counts what was wrong with a deploy of so many lines, by what it wrote down itself.
pub(crate) fn wrote(tally: &Tally, lines: u64, result: &str) {
    match result {
        "ok" => {}
        "timeout" => injected(tally, SILENT),
        _ => injected(tally, FAILED),
    }
    if lines > 2 {
        injected(tally, CUT);
        injected(tally, NOT_TEXT);
    }
}
