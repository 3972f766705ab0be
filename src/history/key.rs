//! Makes fingerprints of users and devices: HMAC-SHA-256 under a key that lies in a file of its own, so that who has the history alone
//! learns no name by trying.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use aws_lc_rs::hmac;
use data_encoding::HEXLOWER;

use domain::viewer::PlayerKey;

/// The bytes of a key.
const LENGTH: usize = 32;

/// See the module.
#[derive(Clone, Debug)]
pub struct Key(hmac::Key);

impl Key {
    /// The key beside the history at `path`, which is made if there is none, or none that can be read.
    pub(super) fn beside(path: &Path) -> io::Result<Self> {
        let path = path.with_extension("key");
        let known = match fs::read_to_string(&path) {
            Ok(text) => HEXLOWER.decode(text.trim().as_bytes()).ok().filter(|key| key.len() == LENGTH),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        if let Some(known) = known {
            return Ok(Self::of(&known));
        }
        let mut key = [0; LENGTH];
        getrandom::fill(&mut key).map_err(io::Error::other)?;
        let new = path.with_extension("key.new");
        let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&new)?;
        file.write_all(HEXLOWER.encode(&key).as_bytes())?;
        file.sync_all()?;
        fs::rename(new, path)?;
        Ok(Self::of(&key))
    }

    /// A key for this process alone, from random bits.
    #[must_use]
    pub fn passing(random: u128) -> Self {
        Self::of(&random.to_ne_bytes())
    }

    /// The fingerprints of a user, by its id, and of its device.
    #[must_use]
    pub fn player(&self, user: Option<&str>, device: Option<&str>) -> PlayerKey {
        PlayerKey {
            user: user.map(|user| self.fingerprint(b"user", user)),
            device: device.map(|device| self.fingerprint(b"device", device)),
        }
    }

    fn fingerprint(&self, kind: &[u8], text: &str) -> u64 {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(kind);
        context.update(b"\0");
        context.update(text.as_bytes());
        context.sign().as_ref().iter().take(8).fold(0, |print, byte| print << 8 | u64::from(*byte))
    }

    fn of(key: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }
}
