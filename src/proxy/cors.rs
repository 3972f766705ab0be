//! Cross-origin fields on our own answers, as the server was seen to send them to the same origin.
//!
//! By default that is `*`; an admin can narrow it (`CorsHosts`), and then only the server knows to what.

use std::time::Duration;

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ORIGIN,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use moka::sync::Cache;

const FIELDS: [HeaderName; 3] =
    [ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_EXPOSE_HEADERS];
/// How many origins are remembered, and for how long after they last asked.
const ORIGINS: u64 = 1000;
const IDLE: Duration = Duration::from_secs(3600);
/// An origin that is longer is none.
const LONGEST: usize = 512;

/// What the server grants to which origin.
#[derive(Debug)]
pub struct Cors {
    granted: Cache<HeaderValue, HeaderMap>,
}

impl Default for Cors {
    fn default() -> Self {
        Self { granted: Cache::builder().max_capacity(ORIGINS).time_to_idle(IDLE).build() }
    }
}

impl Cors {
    /// Learns from an answer of the server's to a request of `origin`.
    pub fn learn(&self, origin: Option<&HeaderValue>, answer: &HeaderMap) {
        let Some(origin) = origin.filter(|origin| origin.len() <= LONGEST) else { return };
        let seen: HeaderMap = FIELDS
            .into_iter()
            .filter_map(|field| answer.get(&field).cloned().map(|value| (field, value)))
            .collect();
        if self.granted.get(origin).as_ref() != Some(&seen) {
            // Copies, so that no request's or answer's whole head stays in memory.
            let copy = |value: &HeaderValue| HeaderValue::from_bytes(value.as_bytes()).ok();
            let seen = seen.iter().filter_map(|(name, value)| Some((name.clone(), copy(value)?))).collect();
            self.granted.insert(copy(origin).unwrap_or_else(|| origin.clone()), seen);
        }
    }

    /// Adds to an answer of ours what the server would have added.
    pub fn apply(&self, request: &HeaderMap, answer: &mut HeaderMap) {
        let Some(origin) = request.get(ORIGIN) else { return };
        match self.granted.get(origin) {
            Some(granted) => answer.extend(granted),
            None => {
                answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer_to(cors: &Cors, origin: &'static str) -> HeaderMap {
        let mut answer = HeaderMap::new();
        cors.apply(&HeaderMap::from_iter([(ORIGIN, HeaderValue::from_static(origin))]), &mut answer);
        answer
    }

    #[test]
    fn an_origin_is_granted_what_the_server_grants_it() {
        let cors = Cors::default();
        assert_eq!(answer_to(&cors, "https://tv.example")[ACCESS_CONTROL_ALLOW_ORIGIN], "*");
        let echoed = HeaderMap::from_iter([
            (ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("https://tv.example")),
            (ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true")),
        ]);
        cors.learn(Some(&HeaderValue::from_static("https://tv.example")), &echoed);
        assert_eq!(answer_to(&cors, "https://tv.example"), echoed);
        cors.learn(Some(&HeaderValue::from_static("https://evil.example")), &HeaderMap::new());
        assert_eq!(answer_to(&cors, "https://evil.example"), HeaderMap::new());
        let mut answer = HeaderMap::new();
        cors.apply(&HeaderMap::new(), &mut answer);
        assert!(answer.is_empty(), "nobody asked from elsewhere");
    }
}
