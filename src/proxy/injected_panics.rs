//! Panics that a test injects: a request to a debug build names the step at which the gateway is to panic (`Warmgate-Panic-At`).
//!
//! A release build injects none.

use http::{HeaderMap, HeaderValue};

#[cfg(debug_assertions)]
tokio::task_local! {
    static INJECTED: InjectedPanic;
}

/// A step on the way to an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Finding out what the viewer wants.
    Tuning,
    /// Starting a stream, under the pool's lock.
    Pool,
    /// Making the viewer's list.
    Serving,
}

impl Step {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Tuning => "tuning",
            Self::Pool => "pool",
            Self::Serving => "serving",
        }
    }
}

/// The step at which a request is to fail, as the request names it.
#[derive(Clone, Debug)]
pub(super) struct InjectedPanic(Option<HeaderValue>);

impl InjectedPanic {
    /// The one that a request with these fields asks for.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        Self(if cfg!(debug_assertions) { headers.get("warmgate-panic-at").cloned() } else { None })
    }

    /// Answers the request, with the panic if there is one.
    pub(super) async fn during<T>(self, answering: impl Future<Output = T>) -> T {
        #[cfg(debug_assertions)]
        return INJECTED.scope(self, answering).await;
        #[cfg(not(debug_assertions))]
        {
            let Self(_none) = self;
            return answering.await;
        }
    }
}

/// The request that is being answered has come to this step.
pub(super) fn at(step: Step) {
    let name = step.as_str();
    #[cfg(debug_assertions)]
    {
        let is_here =
            |InjectedPanic(named): &InjectedPanic| named.as_ref().is_some_and(|named| named == name);
        assert!(!INJECTED.try_with(is_here).unwrap_or(false), "injected at {name}, as a test");
    }
    #[cfg(not(debug_assertions))]
    let _ = name;
}
