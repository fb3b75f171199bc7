//! Secrets planted where an application meets them. None may be found in what a reporter puts out.

use super::tally::Tally;

/// In the query string of every GraphQL request.
pub(crate) const API_KEY: &str = "canary-api-key-5d41402a";
/// In the body of every server error.
pub(crate) const ERROR_BODY: &str = "canary-error-body-7d793037";
/// In the lines of the fetched logs.
pub(crate) const LOG_BEARER: &str = "canary-log-bearer-9a0364b9";
/// In the output of the deploys.
pub(crate) const DEPLOY_BEARER: &str = "canary-deploy-bearer-e4da3b7f";
/// What every token starts with.
pub(crate) const TOKEN: &str = "canary-token-1679091c";
/// In the rows that are written to the database.
pub(crate) const ROW: &str = "canary-row-c9f0f895";
/// What signed URLs are signed with.
pub(crate) const SIGNING_KEY: &str = "canary-signing-key-6512bd43";

/// All of them, with where they are planted.
pub(crate) const ALL: [(&str, &str); 7] = [
    ("the API key in URLs", API_KEY),
    ("the secret in error bodies", ERROR_BODY),
    ("the bearer in log lines", LOG_BEARER),
    ("the bearer in deploy output", DEPLOY_BEARER),
    ("the tokens", TOKEN),
    ("the rows in statements", ROW),
    ("the key that signs URLs", SIGNING_KEY),
];

/// Where those that are in the text were planted.
pub(crate) fn found_in(text: &str) -> impl Iterator<Item = &'static str> {
    ALL.into_iter().filter(move |(_, secret)| text.contains(secret)).map(|(place, _)| place)
}

/// Counts secrets that were put where they might be leaked from.
pub(crate) fn planted(tally: &Tally, secret: &str, amount: u64) {
    let place = ALL.into_iter().find(|(_, planted)| *planted == secret);
    let place = place.map_or("somewhere", |(place, _)| place);
    tally.add("forge_secrets_planted", &[("where", place)], amount);
}
