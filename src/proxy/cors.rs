//! Copies the CORS fields of the server's answers to the gateway's own, per origin.
//!
//! By default the server allows `*`. An administrator may restrict it (`CorsHosts`), and then only the server knows to which origins.
//! An answer without the fields need not be the server's word: a server that starts and the front end of one that runs (413, 414)
//! answer without them. So a refusal is learned only from a success on a route whose answers the gateway gives itself.

use std::time::Duration;

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ORIGIN,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use moka::sync::Cache;

const FIELDS: [HeaderName; 3] =
    [ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_EXPOSE_HEADERS];
/// The number of origins that are remembered.
const ORIGINS: u64 = 1000;
/// How long an origin is remembered after its last request.
const IDLE: Duration = Duration::from_secs(3600);
/// Bytes of the longest origin that is remembered.
const LONGEST: usize = 512;

/// The CORS fields that the server sent to each origin.
#[derive(Debug)]
pub(super) struct Cors {
    allowed: Cache<HeaderValue, HeaderMap>,
}

impl Default for Cors {
    fn default() -> Self {
        Self { allowed: Cache::builder().max_capacity(ORIGINS).time_to_idle(IDLE).build() }
    }
}

impl Cors {
    /// Learns from the server's answer to a request from `origin`. `grants` says whether the server has granted the request, on
    /// a route like those that the gateway answers; it is called only where the answer has no field.
    pub(super) fn learn(&self, origin: &HeaderValue, answer: &HeaderMap, grants: impl FnOnce() -> bool) {
        let is_proof = answer.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN) || grants();
        if !is_proof || origin.len() > LONGEST {
            return;
        }
        let seen: HeaderMap = FIELDS
            .into_iter()
            .filter_map(|field| answer.get(&field).cloned().map(|value| (field, value)))
            .collect();
        if self.allowed.get(origin).as_ref() != Some(&seen) {
            // A clone of a value would keep the whole head of its message in memory.
            let copy = |value: &HeaderValue| HeaderValue::from_bytes(value.as_bytes()).ok();
            let seen = seen.iter().filter_map(|(name, value)| Some((name.clone(), copy(value)?))).collect();
            self.allowed.insert(copy(origin).unwrap_or_else(|| origin.clone()), seen);
        }
    }

    /// Adds the fields that the server would have sent to an answer of the gateway's.
    pub(super) fn apply(&self, request: &HeaderMap, answer: &mut HeaderMap) {
        let Some(origin) = request.get(ORIGIN) else { return };
        match self.allowed.get(origin) {
            Some(allowed) => answer.extend(allowed),
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
    fn an_origin_is_allowed_what_the_server_grants_it() {
        let cors = Cors::default();
        assert_eq!(answer_to(&cors, "https://tv.example")[ACCESS_CONTROL_ALLOW_ORIGIN], "*");
        let echoed = HeaderMap::from_iter([
            (ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("https://tv.example")),
            (ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true")),
        ]);
        cors.learn(&HeaderValue::from_static("https://tv.example"), &echoed, || false);
        assert_eq!(answer_to(&cors, "https://tv.example"), echoed);
        cors.learn(&HeaderValue::from_static("https://evil.example"), &HeaderMap::new(), || true);
        assert_eq!(answer_to(&cors, "https://evil.example"), HeaderMap::new());
        let mut answer = HeaderMap::new();
        cors.apply(&HeaderMap::new(), &mut answer);
        assert!(answer.is_empty(), "nobody asked from elsewhere");
    }

    #[test]
    fn an_answer_that_grants_nothing_proves_nothing() {
        let (cors, origin) = (Cors::default(), HeaderValue::from_static("https://tv.example"));
        cors.learn(&origin, &HeaderMap::new(), || false);
        assert_eq!(answer_to(&cors, "https://tv.example")[ACCESS_CONTROL_ALLOW_ORIGIN], "*");
        let echoed = HeaderMap::from_iter([(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone())]);
        cors.learn(&origin, &echoed, || true);
        cors.learn(&origin, &HeaderMap::new(), || false);
        assert_eq!(answer_to(&cors, "https://tv.example"), echoed);
    }
}
