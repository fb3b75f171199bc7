//! Tokens that are known by how they look: those of well-known issuers, and JWTs.

/// What follows the beginning of an issuer's token is at least so long.
const REST: usize = 12;

/// The shortest word that can hold a token.
pub(super) const SHORTEST: usize = 3 + REST;

/// What tokens of well-known issuers begin with, by its first letter.
const fn beginnings(first: u8) -> &'static [&'static [u8]] {
    match first {
        b'A' => &[b"AKIA", b"ASIA", b"AIza", b"ATATT3", b"AGE-SECRET-KEY-"],
        b'G' => &[b"GOCSPX-"],
        b'N' => &[b"NRAK-"],
        b'P' => &[b"PMAK-"],
        b'S' => &[b"SG."],
        b'd' => &[b"dop_v1_", b"dckr_pat_", b"dp.pt."],
        b'f' => &[b"fo1_", b"figd_"],
        b'g' => &[
            b"ghp_",
            b"gho_",
            b"ghu_",
            b"ghs_",
            b"ghr_",
            b"github_pat_",
            b"glpat-",
            b"glsa_",
            b"gsk_",
        ],
        b'h' => &[b"hf_", b"hvs.", b"hvb."],
        b'l' => &[b"lin_api_"],
        b'n' => &[b"npm_", b"nvapi-"],
        b'p' => &[b"pypi-", b"phx_", b"phs_", b"pul-"],
        b'r' => &[b"rk_live_", b"rk_test_", b"rubygems_"],
        b's' => &[b"sk-", b"sk_live_", b"sk_test_", b"shpat_", b"sntrys_"],
        b'w' => &[b"whsec_"],
        b'x' => &[b"xoxa-", b"xoxb-", b"xoxe-", b"xoxp-", b"xoxr-", b"xoxs-", b"xapp-"],
        b'y' => &[b"ya29."],
        _ => &[],
    }
}

/// Where in a word a token begins: a JWT, or one of an issuer that has a digit in its rest. `is_escaped` says that a
/// backslash is before the word, so that its first letter may be no part of a token.
pub(super) fn token(word: &[u8], is_escaped: bool) -> Option<usize> {
    let last_digit = word.iter().rposition(u8::is_ascii_digit);
    let mut may_begin = true;
    for (start, byte) in word.iter().enumerate() {
        // `eyJ` is `{"` in base64.
        if *byte == b'e' && word[start..].starts_with(b"eyJ") && word.len() - start > SHORTEST {
            return Some(start);
        }
        if may_begin || (is_escaped && start == 1) {
            let rest = beginnings(*byte).iter().find(|known| word[start..].starts_with(known));
            let rest = rest.map(|known| start + known.len());
            let is_long = |rest: &usize| word.len() - rest >= REST;
            let is_random = |rest: &usize| last_digit.is_some_and(|digit| digit >= *rest);
            if rest.filter(is_long).is_some_and(|rest| is_random(&rest)) {
                return Some(start);
            }
        }
        may_begin = !byte.is_ascii_alphanumeric();
    }
    None
}
