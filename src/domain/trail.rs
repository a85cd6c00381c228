//! The audit log as a chain: each entry holds the hash of the one before it, so that what is changed, put in or taken
//! out later shows.
//!
//! What a chain cannot show by itself is that its newest entries were taken away together with the note of its end:
//! who must rule that out keeps the hash of the end elsewhere, and has it looked for.

use std::collections::BTreeSet;

use entity::{Instant, Json, TenantId, audit_entry, audit_head};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::actor::Actor;
use super::secret;

/// What the first entry of a chain holds as the hash before it.
const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Something that was changed. Secrets, links and what identifies persons never stand in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Deed {
    /// What was done: a noun and a verb, `api_key.issue`.
    pub action: &'static str,
    /// To what sort of thing.
    pub object_type: &'static str,
    /// To which one.
    pub object_id: String,
    /// What of it was before, where something was.
    pub before: Option<Json>,
    /// What of it is now, where something is.
    pub after: Option<Json>,
}

/// The end of a chain that has no entries.
pub fn start(chain: &TenantId) -> audit_head::Model {
    audit_head::Model { tenant_id: chain.clone(), entries: 0, hash: GENESIS.to_owned() }
}

/// The entry that comes behind `head` in a chain.
pub fn entry(head: &audit_head::Model, actor: &Actor, deed: Deed, at: Instant) -> audit_entry::Model {
    let mut row = audit_entry::Model {
        tenant_id: head.tenant_id.clone(),
        sequence: head.entries.saturating_add(1),
        at,
        actor_kind: actor.kind.to_owned(),
        actor_id: actor.subject.clone(),
        credential_id: actor.credential.clone(),
        application_id: actor.application.clone(),
        action: deed.action.to_owned(),
        object_type: deed.object_type.to_owned(),
        object_id: deed.object_id,
        state_before: deed.before.map(|json| json.to_string()),
        state_after: deed.after.map(|json| json.to_string()),
        request_id: actor.request_id.clone(),
        address: actor.address.clone(),
        previous_hash: head.hash.clone(),
        hash: String::new(),
    };
    row.hash = hash(&row);
    row
}

/// The hash of an entry: the SHA-256 of a JSON list of everything in it, with the hash before it first. An application
/// stands at the end and only where there is one: entries from before it was written down keep their hashes, and a longer
/// list is another one.
pub fn hash(row: &audit_entry::Model) -> String {
    let mut all = json!([
        row.previous_hash,
        row.tenant_id,
        row.sequence,
        row.at.utc().timestamp_millis(),
        row.actor_kind,
        row.actor_id,
        row.credential_id,
        row.action,
        row.object_type,
        row.object_id,
        row.state_before,
        row.state_after,
        row.request_id,
        row.address,
    ]);
    if let (Some(application), Some(all)) = (&row.application_id, all.as_array_mut()) {
        all.push(json!(application));
    }
    secret::hex(&Sha256::digest(all.to_string()))
}

/// What is wrong with a chain, and where first.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// An entry is not there, or is there twice.
    #[error("entry {expected} is missing; behind the one before it comes {found}")]
    Gap {
        /// Which one should come.
        expected: i64,
        /// Which one comes.
        found: i64,
    },
    /// An entry does not hold the hash of the one before it.
    #[error("entry {0} does not follow from the one before it")]
    Link(i64),
    /// An entry is not what was hashed.
    #[error("entry {0} was changed")]
    Changed(i64),
    /// The last entry is not the one that is noted as the end.
    #[error("the chain should end with entry {noted}, and ends with {found}")]
    End {
        /// The noted one.
        noted: i64,
        /// The last there is.
        found: i64,
    },
    /// An entry whose hash was noted elsewhere is not in the chain: its end was cut off, or all of it was written anew.
    #[error("the entry with the hash {0}, which was noted elsewhere, is not there")]
    Noted(String),
}

/// Follows a chain from its first entry.
#[derive(Clone, Debug)]
pub struct Follower {
    last: i64,
    hash: String,
    /// Hashes that were noted elsewhere and did not come yet.
    noted: BTreeSet<String>,
}

impl Default for Follower {
    fn default() -> Self {
        Self::expecting(BTreeSet::new())
    }
}

impl Follower {
    /// One that wants to see the entries of these hashes, each of which was the end of the chain once.
    pub fn expecting(mut noted: BTreeSet<String>) -> Self {
        noted.remove(GENESIS);
        Self { last: 0, hash: GENESIS.to_owned(), noted }
    }

    /// Goes on to the next entry.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn follow(&mut self, row: &audit_entry::Model) -> Result<(), Broken> {
        let expected = self.last.saturating_add(1);
        if row.sequence != expected {
            return Err(Broken::Gap { expected, found: row.sequence });
        }
        if row.previous_hash != self.hash {
            return Err(Broken::Link(row.sequence));
        }
        if hash(row) != row.hash {
            return Err(Broken::Changed(row.sequence));
        }
        self.last = row.sequence;
        self.hash.clone_from(&row.hash);
        self.noted.remove(&row.hash);
        Ok(())
    }

    /// How many entries were followed.
    pub const fn entries(&self) -> i64 {
        self.last
    }

    /// The hash of the last one.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// Compares the last entry with the noted end, and what came with what was noted elsewhere.
    ///
    /// # Errors
    /// [`Broken::End`], [`Broken::Noted`].
    pub fn end(&self, head: &audit_head::Model) -> Result<(), Broken> {
        if head.entries != self.last || head.hash != self.hash {
            return Err(Broken::End { noted: head.entries, found: self.last });
        }
        self.noted.first().map_or(Ok(()), |hash| Err(Broken::Noted(hash.clone())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(length: usize) -> (Vec<audit_entry::Model>, audit_head::Model) {
        let mut head = start(&"ten_1".into());
        let mut rows = Vec::new();
        for number in 0..length {
            let deed = Deed {
                action: "api_key.issue",
                object_type: "ApiKey",
                object_id: format!("key_{number}"),
                before: None,
                after: Some(json!({ "b": 1, "a": "ä" })),
            };
            let row = entry(&head, &Actor::operator(), deed, Instant::default());
            head = audit_head::Model { entries: row.sequence, hash: row.hash.clone(), ..head };
            rows.push(row);
        }
        (rows, head)
    }

    fn followed(rows: &[audit_entry::Model], head: &audit_head::Model) -> Result<(), Broken> {
        let mut follower = Follower::default();
        rows.iter().try_for_each(|row| follower.follow(row))?;
        follower.end(head)
    }

    #[test]
    fn a_chain_that_nobody_touched_is_whole() {
        let (rows, head) = chain(5);
        assert_eq!(followed(&rows, &head), Ok(()));
        assert_eq!(followed(&[], &start(&"ten_1".into())), Ok(()));
    }

    #[test]
    fn an_end_that_was_cut_off_together_with_its_note_shows_where_its_hash_was_kept() {
        let (mut rows, head) = chain(5);
        let followed = |rows: &[audit_entry::Model], noted: &str| {
            let mut follower = Follower::expecting(BTreeSet::from([noted.to_owned(), GENESIS.to_owned()]));
            rows.iter().try_for_each(|row| follower.follow(row))?;
            let last = rows.last().map(|row| (row.sequence, row.hash.clone()));
            let (entries, hash) = last.unwrap_or((0, GENESIS.to_owned()));
            follower.end(&audit_head::Model { entries, hash, ..head.clone() })
        };
        let (third, fifth) = (rows[2].hash.clone(), rows[4].hash.clone());
        assert_eq!(followed(&rows, &third), Ok(()), "the chain went on since it was noted");
        assert_eq!(followed(&rows, &fifth), Ok(()));
        rows.truncate(4);
        assert_eq!(followed(&rows, &third), Ok(()));
        assert_eq!(followed(&rows, &fifth), Err(Broken::Noted(fifth.clone())));
        assert_eq!(followed(&[], &third), Err(Broken::Noted(third.clone())));
    }

    #[test]
    fn whatever_is_changed_in_an_entry_shows_there() {
        type Row = audit_entry::Model;
        let changes: [fn(&mut Row); 13] = [
            |row| row.at = Instant::new(chrono::DateTime::from_timestamp_nanos(2_000_000)),
            |row| row.actor_kind.push('x'),
            |row| row.actor_id.push('x'),
            |row| row.credential_id = Some(String::new()),
            |row| row.application_id = Some(String::new()),
            |row| row.action.push('x'),
            |row| row.object_type.push('x'),
            |row| row.object_id.push('x'),
            |row| row.state_before = Some("null".to_owned()),
            |row| row.state_after = None,
            |row| row.request_id = Some("x".to_owned()),
            |row| row.address = Some("x".to_owned()),
            |row| row.tenant_id = "ten_2".into(),
        ];
        for (number, change) in changes.into_iter().enumerate() {
            let (mut rows, head) = chain(3);
            change(&mut rows[1]);
            assert_eq!(followed(&rows, &head), Err(Broken::Changed(2)), "change {number}");
            // Hashing it anew only moves the break to the next one.
            rows[1].hash = hash(&rows[1]);
            assert_eq!(followed(&rows, &head), Err(Broken::Link(3)), "change {number}");
        }
    }

    #[test]
    fn entries_from_before_applications_were_written_down_keep_their_hashes() {
        let (rows, _) = chain(1);
        assert_eq!(rows[0].hash, "f7ed57fa00b3dae4120ab1f48294b4d726bd18dc0dc95cbb7d1127bda1e85d4e");
        let deed = || Deed { action: "a.b", object_type: "A", object_id: "1".into(), before: None, after: None };
        let through = Actor { application: Some("key_1".to_owned()), ..Actor::operator() };
        let mut row = entry(&start(&"ten_1".into()), &through, deed(), Instant::default());
        let written = row.hash.clone();
        row.application_id = None;
        assert_ne!(hash(&row), written, "whoever takes the application out is found out");
    }

    #[test]
    fn what_is_taken_out_or_cut_off_shows() {
        let (mut rows, head) = chain(3);
        rows.remove(1);
        assert_eq!(followed(&rows, &head), Err(Broken::Gap { expected: 2, found: 3 }));
        let (rows, head) = chain(3);
        assert_eq!(followed(&rows[..2], &head), Err(Broken::End { noted: 3, found: 2 }));
    }
}
