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
    /// Answering for a segment with all that belongs to it.
    Segment,
    /// Answering for a segment with its bytes alone.
    BareSegment,
    /// Passing a request on, before the server has got it.
    Asking,
    /// Looking at the server's answer.
    Answered,
    /// Reading a body or a message in passing.
    Reading,
}

impl Step {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Tuning => "tuning",
            Self::Pool => "pool",
            Self::Serving => "serving",
            Self::Segment => "segment",
            Self::BareSegment => "bare-segment",
            Self::Asking => "asking",
            Self::Answered => "answered",
            Self::Reading => "reading",
        }
    }
}

/// The steps at which a request is to fail, as the request names them, with commas between.
#[derive(Clone, Debug)]
pub(super) struct InjectedPanic(Option<HeaderValue>);

impl InjectedPanic {
    /// The one that a request with these fields asks for.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        Self(if cfg!(debug_assertions) { headers.get("warmgate-panic-at").cloned() } else { None })
    }

    /// That of the request that is being answered, for work of it that is done elsewhere.
    pub(super) fn current() -> Self {
        #[cfg(debug_assertions)]
        return INJECTED.try_with(Clone::clone).unwrap_or(Self(None));
        #[cfg(not(debug_assertions))]
        return Self(None);
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

    /// The request has come to this step.
    pub(super) fn at(&self, step: Step) {
        let Self(named) = self;
        let (named, name) = (named.as_ref().and_then(|named| named.to_str().ok()), step.as_str());
        let is_here = named.is_some_and(|named| named.split(',').any(|named| named == name));
        assert!(!is_here, "injected at {name}, as a test");
    }
}

/// The request that is being answered has come to this step.
pub(super) fn at(step: Step) {
    InjectedPanic::current().at(step);
}
