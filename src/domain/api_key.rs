//! How an API key is written: `bgk_live_<handle>_<secret><checksum>`.
//!
//! The prefix lets scanners of leaked secrets recognise one, and says whether it is about real money. The handle is
//! what a key is looked up and talked about by. The checksum lets junk be refused without asking the database.

use crc::{CRC_32_ISO_HDLC, Crc};
use secrecy::{ExposeSecret, SecretString};

use super::secret::{self, BASE62, NoRandomness, SECRET_LENGTH};

/// What every key starts with.
pub const PREFIX: &str = "bgk_";

/// Characters of a handle.
const HANDLE_LENGTH: usize = 8;

/// Characters of a checksum: enough for 32 bits.
const CHECKSUM_LENGTH: usize = 6;

/// Characters at the end of a key that people may see, to tell it from others.
const SHOWN: usize = 4;

const CHECKSUM: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);

/// A key that was just made. Its text is shown once and kept nowhere.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// What it is looked up by.
    pub handle: String,
    /// The digest of its secret.
    pub secret_sha256: String,
    /// Its last characters.
    pub last4: String,
    /// The key itself.
    pub text: SecretString,
}

impl NewKey {
    /// A key of random characters.
    ///
    /// # Errors
    /// [`NoRandomness`].
    pub fn random(livemode: bool) -> Result<Self, NoRandomness> {
        let handle = secret::random(HANDLE_LENGTH)?.expose_secret().to_owned();
        Ok(Self::of(livemode, handle, &secret::random(SECRET_LENGTH)?))
    }

    /// The key of a handle and a secret.
    pub fn of(livemode: bool, handle: String, secret: &SecretString) -> Self {
        let body = format!("{}_{}", prefix(livemode, &handle), secret.expose_secret());
        let text = format!("{body}{}", checksum(&body));
        let last4 = text.get(text.len().saturating_sub(SHOWN)..).unwrap_or_default().to_owned();
        Self { handle, secret_sha256: secret::sha256_of(secret), last4, text: SecretString::from(text) }
    }
}

/// What of a key may be shown: everything before its secret.
pub fn prefix(livemode: bool, handle: &str) -> String {
    format!("{PREFIX}{}_{handle}", if livemode { "live" } else { "test" })
}

/// A text that has the form of a key, with the checksum that it must have.
#[derive(Clone, Copy)]
pub struct KeyText<'a> {
    /// Whether it says that it is about real money.
    pub livemode: bool,
    /// What to look it up by.
    pub handle: &'a str,
    secret: &'a str,
}

impl<'a> KeyText<'a> {
    /// Reads a key; nothing where the text cannot be one.
    pub fn read(text: &'a str) -> Option<Self> {
        let (mode, rest) = text.strip_prefix(PREFIX)?.split_once('_')?;
        let livemode = match mode {
            "live" => true,
            "test" => false,
            _ => return None,
        };
        let (handle, rest) = rest.split_once('_')?;
        let (secret, sum) = rest.split_at_checked(SECRET_LENGTH)?;
        let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let fits = handle.len() == HANDLE_LENGTH && plain(handle) && plain(secret) && sum.len() == CHECKSUM_LENGTH;
        let body = text.len().checked_sub(CHECKSUM_LENGTH).and_then(|end| text.get(..end))?;
        (fits && checksum(body) == sum).then_some(Self { livemode, handle, secret })
    }

    /// Whether this is the secret that was kept as a digest. Takes the same time wherever they differ.
    pub fn has_secret(&self, sha256: &str) -> bool {
        secret::same(&secret::sha256(self.secret), sha256)
    }
}

/// The CRC-32 of a text, in six digits and letters.
fn checksum(text: &str) -> String {
    let mut rest = CHECKSUM.checksum(text.as_bytes());
    let mut digits = [b'0'; CHECKSUM_LENGTH];
    for digit in digits.iter_mut().rev() {
        *digit = BASE62.get(usize::try_from(rest % 62).unwrap_or_default()).copied().unwrap_or(b'0');
        rest /= 62;
    }
    digits.into_iter().map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn known() -> NewKey {
        NewKey::of(false, "Abcd1234".to_owned(), &SecretString::from("x".repeat(SECRET_LENGTH)))
    }

    #[test]
    fn a_key_reads_back_as_it_was_made() {
        for livemode in [true, false] {
            let key = NewKey::random(livemode).unwrap();
            let text = key.text.expose_secret();
            assert!(text.starts_with(if livemode { "bgk_live_" } else { "bgk_test_" }) && text.len() == 67, "{text}");
            let read = KeyText::read(text).unwrap();
            assert_eq!((read.livemode, read.handle), (livemode, key.handle.as_str()));
            assert!(read.has_secret(&key.secret_sha256) && text.ends_with(&key.last4));
            assert!(!read.has_secret(&known().secret_sha256));
        }
    }

    #[test]
    fn the_checksum_is_the_crc_that_scanners_know() {
        // CRC-32 of "123456789" is 0xCBF43926.
        assert_eq!(CHECKSUM.checksum(b"123456789"), 0xcbf4_3926);
        assert_eq!(checksum("123456789"), "3jZRME");
    }

    #[test]
    fn a_key_with_any_character_changed_is_junk() {
        let key = known();
        let text = key.text.expose_secret();
        for at in 0..text.len() {
            let mut bytes = text.as_bytes().to_vec();
            bytes[at] = if bytes[at] == b'7' { b'8' } else { b'7' };
            assert!(KeyText::read(std::str::from_utf8(&bytes).unwrap()).is_none(), "character {at}");
        }
        for junk in ["", "bgk_", "bgk_test_", "bgk_test_Abcd1234_", &text[..66], &format!("{text}0")] {
            assert!(KeyText::read(junk).is_none(), "{junk}");
        }
    }

    #[test]
    fn a_key_shows_nothing_of_itself_where_it_is_printed() {
        assert!(!format!("{:?}", known()).contains("xxxx"));
    }

    proptest! {
        #[test]
        fn no_text_that_claims_to_be_a_key_panics(text in "(bgk_)?(live_|test_)?.{0,90}") {
            let _read = KeyText::read(&text);
        }
    }
}
