//! Who may see the metrics: everybody, or who knows one of the credentials.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use radiosonde::Secret;
use subtle::{Choice, ConstantTimeEq};

/// What a client has to send in `Authorization`: one of these. Without any, nothing is asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Credentials(Vec<Credential>);

/// A scheme, and what follows it in the header.
#[derive(Clone, Debug)]
pub(crate) struct Credential {
    scheme: Scheme,
    text: Secret<String>,
    problem: Option<&'static str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    Bearer,
    Basic,
}

impl Scheme {
    fn as_str(self) -> &'static str {
        match self {
            Self::Bearer => "Bearer",
            Self::Basic => "Basic",
        }
    }
}

impl Credential {
    pub(crate) fn bearer(token: String) -> Self {
        let is_good = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
        let problem =
            (!is_good).then_some("a bearer token is one or more visible ASCII characters");
        Self { scheme: Scheme::Bearer, text: Secret::new(token), problem }
    }

    pub(crate) fn basic(user: &str, password: &Secret<String>) -> Self {
        let is_good = !user.contains(':') && !password.expose().is_empty();
        let problem = (!is_good).then_some("a user has no colon in its name, and a password");
        let text = STANDARD.encode(format!("{user}:{}", password.expose()));
        Self { scheme: Scheme::Basic, text: Secret::new(text), problem }
    }

    /// What is wrong with it, without repeating any of it.
    pub(crate) fn problem(&self) -> Option<&'static str> {
        self.problem
    }

    /// The value of `Authorization`.
    #[cfg(feature = "push")]
    pub(crate) fn header(&self) -> Secret<String> {
        Secret::new(format!("{} {}", self.scheme.as_str(), self.text.expose()))
    }
}

impl Credentials {
    pub(crate) fn add(&mut self, credential: Credential) {
        self.0.push(credential);
    }

    /// What is wrong with one of them.
    pub(crate) fn problem(&self) -> Option<&'static str> {
        self.0.iter().find_map(Credential::problem)
    }

    /// Whether a request with these headers may see the metrics.
    ///
    /// The time this takes depends on the lengths of what is compared, and on nothing else of it: every credential is
    /// compared, each of them to its end.
    pub(crate) fn admit(&self, headers: &HeaderMap) -> bool {
        if self.0.is_empty() {
            return true;
        }
        let value = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let Some((scheme, text)) = value.and_then(|value| value.split_once(' ')) else {
            return false;
        };
        let text = text.trim_matches(' ').as_bytes();
        let admitted = self.0.iter().fold(Choice::from(0), |admitted, known| {
            let is_scheme = known.scheme.as_str().eq_ignore_ascii_case(scheme);
            admitted
                | (Choice::from(u8::from(is_scheme)) & known.text.expose().as_bytes().ct_eq(text))
        });
        admitted.into()
    }

    /// The values of `WWW-Authenticate` that say what is asked for.
    pub(crate) fn challenges(&self) -> impl Iterator<Item = HeaderValue> {
        let is_known = |scheme| self.0.iter().any(|known| known.scheme == scheme);
        let bearer = is_known(Scheme::Bearer)
            .then_some(HeaderValue::from_static("Bearer realm=\"metrics\""));
        let basic = is_known(Scheme::Basic)
            .then_some(HeaderValue::from_static("Basic realm=\"metrics\", charset=\"UTF-8\""));
        bearer.into_iter().chain(basic)
    }
}

#[cfg(test)]
mod tests;
