//! The configuration in effect, which whoever changes it shares with whoever shows it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::config::checked::Config;

/// Clones share it.
#[derive(Clone, Debug)]
pub struct Running(Arc<Mutex<Config>>);

impl Running {
    /// This configuration is in effect.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self(Arc::new(Mutex::new(config)))
    }

    /// The configuration, which nobody changes as long as the value exists.
    pub fn get(&self) -> MutexGuard<'_, Config> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
