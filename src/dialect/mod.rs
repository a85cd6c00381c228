//! Documents of foreign billing systems, one file per system: read into a [`Bill`]. Pure, no I/O.
//!
//! [`import`] checks the limits, cuts credentials out and maps what is left to the rows of a bill. What has no column
//! goes to `external_attributes` of the row it belongs to; what is not as documented goes to `$raw` and becomes an
//! issue; what cannot be trusted at all refuses the document.

use std::collections::{BTreeMap, HashSet};

use entity::{CurrencyCode, Instant, Json, SourceSystem};
use sha2::{Digest, Sha256};

use crate::domain::bill::{Bill, Issue};
use crate::domain::integrity::code;
use crate::domain::link::LinkHosts;

mod document;
mod error;
mod gpu_outlet;
mod hostup;
mod meteroid;
mod paypercut;
mod reader;
mod redact;
mod userhub;

pub use error::DialectError;
use reader::{Read, Reader};

/// The largest document that is read, in bytes (1 MiB).
pub const DOCUMENT_BYTES_MAX: usize = 1_048_576;

/// A system whose documents can be imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum System {
    /// GPU Outlet: a marketplace for rented GPUs.
    GpuOutlet,
    /// Paypercut: a payments processor.
    Paypercut,
    /// Meteroid: usage-based billing.
    Meteroid,
    /// `UserHub`: subscriptions of user accounts.
    Userhub,
    /// HostUp: hosting, billed with HostBill.
    Hostup,
}

impl System {
    /// Every system, in the order of their names here.
    pub const ALL: [Self; 5] = [Self::GpuOutlet, Self::Paypercut, Self::Meteroid, Self::Userhub, Self::Hostup];

    /// The name on the command line and in configuration: `gpu-outlet`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::GpuOutlet => "gpu-outlet",
            Self::Paypercut => "paypercut",
            Self::Meteroid => "meteroid",
            Self::Userhub => "userhub",
            Self::Hostup => "hostup",
        }
    }

    /// The system of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|system| system.name() == name)
    }

    /// The word under which its rows are stored.
    pub const fn source(self) -> SourceSystem {
        match self {
            Self::GpuOutlet => SourceSystem::GpuOutlet,
            Self::Paypercut => SourceSystem::Paypercut,
            Self::Meteroid => SourceSystem::Meteroid,
            Self::Userhub => SourceSystem::Userhub,
            Self::Hostup => SourceSystem::Hostup,
        }
    }

    /// The system of stored rows; none for native ones and those of Stripe.
    pub fn of(source: SourceSystem) -> Option<Self> {
        Self::ALL.into_iter().find(|system| system.source() == source)
    }
}

/// What an import needs to know of its tenant and of the moment.
#[derive(Clone, Copy, Debug)]
pub struct ImportContext<'a> {
    /// The tenant's currency, taken where a document states none.
    pub currency: &'a CurrencyCode,
    /// The tenant's table of numeric currency ids (HostBill).
    pub currency_ids: &'a BTreeMap<String, CurrencyCode>,
    /// The hosts that links may lead to.
    pub link_hosts: &'a LinkHosts,
    /// When the import runs.
    pub now: Instant,
    /// Whether the tenant's money is real, where the document does not say.
    pub livemode: bool,
}

/// A document that was read.
#[derive(Clone, Debug)]
pub struct Imported {
    /// The invoice with everything under it, without keys.
    pub bill: Bill,
    /// The invoice's id in its source system, at most 128 characters.
    pub external_id: String,
    /// The customer's id in the source system; absent where documents name none.
    pub customer_external_id: Option<String>,
    /// What does not hold or could not be kept as stated; also in the invoice's `integrity_issues`.
    pub issues: Vec<Issue>,
    /// Where credentials stood, in the order of the document.
    pub redacted_paths: Vec<String>,
    /// The text as it came, with credentials replaced.
    pub document: String,
    /// SHA-256 of the bytes as they came, credentials included, in lower-case hexadecimal.
    pub sha256: String,
    /// When the source system last changed the invoice; absent: the last import wins.
    pub updated_at: Option<Instant>,
}

/// What a system's file makes of a document.
#[derive(Debug)]
struct Draft {
    bill: Bill,
    external_id: String,
    customer_external_id: Option<String>,
    updated_at: Option<Instant>,
    issues: Vec<Issue>,
}

/// Reads a document of `system`.
///
/// The bill's rows have no keys yet; `issues` is empty if everything was as documented and every sum holds.
///
/// # Errors
/// [`DialectError`] when the document is refused; it names the path and the reason.
pub fn import(system: System, bytes: &[u8], context: &ImportContext<'_>) -> Result<Imported, DialectError> {
    if bytes.len() > DOCUMENT_BYTES_MAX {
        return Err(DialectError::TooLarge { path: "$".to_owned(), bytes: bytes.len(), max: DOCUMENT_BYTES_MAX });
    }
    let text = std::str::from_utf8(bytes)
        .map_err(|source| DialectError::NotJson { path: "$".to_owned(), reason: source.to_string() })?;
    let document = document::parse(text)?;
    let root = Reader::root(document.root, system == System::Hostup)?;
    let mut draft = read(system, root, context)?;
    let invoice = &mut draft.bill.invoice;
    invoice.source_system = system.source();
    invoice.external_id = Some(draft.external_id.clone());
    invoice.locked = true;
    invoice.integrity_issues = draft.issues.iter().map(issue_json).collect();
    Ok(Imported {
        bill: draft.bill,
        external_id: draft.external_id,
        customer_external_id: draft.customer_external_id,
        issues: draft.issues,
        document: redact::without(text, &document.credentials),
        redacted_paths: document.credentials.into_iter().map(|found| found.path).collect(),
        sha256: sha256(bytes),
        updated_at: draft.updated_at,
    })
}

fn read(system: System, root: Reader, context: &ImportContext<'_>) -> Read<Draft> {
    match system {
        System::GpuOutlet => gpu_outlet::import(root, context),
        System::Paypercut => paypercut::import(root, context),
        System::Meteroid => meteroid::import(root, context),
        System::Userhub => userhub::import(root, context),
        System::Hostup => hostup::import(root, context),
    }
}

/// When the invoice was created; the moment of the import, with an issue, where the document does not tell.
fn created(root: &mut Reader, key: &str, context: &ImportContext<'_>) -> Read<Instant> {
    if !root.has(key) {
        root.issue(code::CREATED_UNKNOWN, key, None, None);
    }
    Ok(root.instant(key)?.unwrap_or(context.now))
}

/// Keeps the first row of each id: lines may name the same product or price.
fn keep_first<T>(rows: &mut Vec<T>, id: impl Fn(&T) -> Option<String>) {
    let mut known = HashSet::new();
    rows.retain(|row| known.insert(id(row)));
}

fn issue_json(issue: &Issue) -> Json {
    serde_json::json!({
        "code": issue.code,
        "path": issue.path,
        "stated": issue.stated,
        "expected": issue.expected,
    })
}

fn sha256(bytes: &[u8]) -> String {
    let digits = Sha256::digest(bytes);
    let digits = digits.iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
    digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SAMPLES: [(System, &str); 5] = [
        (System::GpuOutlet, include_str!("../../tests/it/fixtures/gpu-outlet.json")),
        (System::Paypercut, include_str!("../../tests/it/fixtures/paypercut.json")),
        (System::Meteroid, include_str!("../../tests/it/fixtures/meteroid.json")),
        (System::Userhub, include_str!("../../tests/it/fixtures/userhub.json")),
        (System::Hostup, include_str!("../../tests/it/fixtures/hostup.json")),
    ];

    /// Imports into a tenant that bills in dollars, at the start of 2026.
    pub(super) fn import(system: System, text: &str) -> Result<Imported, DialectError> {
        import_bytes(system, text.as_bytes())
    }

    fn import_bytes(system: System, bytes: &[u8]) -> Result<Imported, DialectError> {
        let currency_ids = BTreeMap::from([("1".to_owned(), CurrencyCode("SEK".to_owned()))]);
        let context = ImportContext {
            currency: &CurrencyCode("USD".to_owned()),
            currency_ids: &currency_ids,
            link_hosts: &LinkHosts::default(),
            now: at("2026-01-01T00:00:00Z"),
            livemode: false,
        };
        super::import(system, bytes, &context)
    }

    pub(super) fn at(text: &str) -> Instant {
        Instant::new(chrono::DateTime::parse_from_rfc3339(text).unwrap().to_utc())
    }

    /// The text with every occurrence of each first part replaced by the second; a part that is not there is a mistake.
    pub(super) fn changed(text: &str, edits: &[(&str, &str)]) -> String {
        edits.iter().fold(text.to_owned(), |text, (from, to)| {
            assert!(text.contains(from), "the sample has no {from}");
            text.replace(from, to)
        })
    }

    pub(super) fn issue(code: &str, path: &str, stated: Option<&str>, expected: Option<&str>) -> Issue {
        Issue {
            code: code.to_owned(),
            path: path.to_owned(),
            stated: stated.map(str::to_owned),
            expected: expected.map(str::to_owned),
        }
    }

    pub(super) fn codes(imported: &Imported) -> Vec<(&str, &str)> {
        let issues = imported.issues.iter();
        issues.map(|issue| (issue.code.as_str(), issue.path.as_str())).collect()
    }

    #[test]
    fn every_system_has_a_name_of_its_own() {
        for system in System::ALL {
            assert_eq!(System::from_name(system.name()), Some(system));
            assert_eq!(System::of(system.source()), Some(system));
        }
        assert_eq!(System::from_name("stripe"), None);
        assert_eq!(System::of(SourceSystem::Native), None);
    }

    #[test]
    fn every_sample_is_imported() {
        for (system, sample) in SAMPLES {
            let imported = import(system, sample).unwrap();
            let row = &imported.bill.invoice;
            assert_eq!(row.source_system, system.source());
            assert_eq!(row.external_id.as_deref(), Some(imported.external_id.as_str()));
            assert!(row.locked);
            assert_eq!(row.integrity_issues.as_array().unwrap().len(), imported.issues.len());
        }
    }

    #[test]
    fn what_is_no_document_at_all_is_refused() {
        for (system, _) in SAMPLES {
            let refused = |bytes: &[u8]| import_bytes(system, bytes).unwrap_err().to_string();
            assert_eq!(refused(b"nonsense"), "$: not JSON: expected ident at line 1 column 2");
            assert_eq!(refused(b"\"\xff\""), "$: not JSON: invalid utf-8 sequence of 1 bytes from index 1");
            assert_eq!(refused(b"[]"), "$: expected an object, found a list");
            assert_eq!(refused(b"null"), "$: expected an object, found null");
        }
    }

    #[test]
    fn a_mebibyte_passes_and_one_byte_more_is_refused() {
        for (system, sample) in SAMPLES {
            let mut text = sample.to_owned();
            text.extend(std::iter::repeat_n(' ', DOCUMENT_BYTES_MAX - sample.len()));
            assert!(import(system, &text).is_ok());
            text.push(' ');
            let error = import(system, &text).unwrap_err();
            assert_eq!(error.to_string(), "$: 1048577 bytes, at most 1048576 are read");
        }
    }

    #[test]
    fn twenty_levels_pass_and_the_next_is_refused() {
        for (system, sample) in SAMPLES {
            let deeper = |levels: usize| {
                let value = format!("{}{}", "[".repeat(levels), "]".repeat(levels));
                sample.replacen('{', &format!("{{\"deep\": {value}, "), 1)
            };
            assert!(import(system, &deeper(document::DEPTH_MAX - 1)).is_ok());
            let error = import(system, &deeper(document::DEPTH_MAX)).unwrap_err();
            let wanted = format!("deep{}: nested more than 20 levels deep", "[0]".repeat(19));
            assert_eq!(error.to_string(), wanted);
        }
    }

    #[test]
    fn fields_that_nobody_knows_are_judged_too() {
        for (system, sample) in SAMPLES {
            let with = |field: &str| import(system, &sample.replacen('{', &format!("{{{field}, "), 1));
            let refused = |field| with(field).unwrap_err().to_string();
            assert_eq!(refused(r#""odd": [1e400]"#), "odd[0]: 1e400 does not fit: numbers have at most 38 digits");
            assert_eq!(refused(r#""odd": "\u0000""#), "odd: contains a NUL character");
            assert_eq!(refused(r#""odd": 1, "odd": 2"#), "odd: the key occurs twice");
        }
    }

    #[test]
    fn credentials_are_cut_out_and_the_hash_is_taken_before() {
        for (system, sample) in SAMPLES {
            let text = sample.replacen('{', "{\"x\": {\"Api-Key\": \"canary\"}, ", 1);
            let imported = import(system, &text).unwrap();
            assert_eq!(imported.redacted_paths[0], "x.Api-Key");
            assert!(imported.document.contains("{\"x\": {\"Api-Key\": \"[redacted]\"}, "));
            assert!(!format!("{imported:?}").contains("canary"));
            assert_eq!(imported.sha256, sha256(text.as_bytes()));
        }
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(sha256(b""), empty);
    }

    /// Where a change can hurt: a value is put in the place of another one.
    fn values(sample: &str) -> Vec<std::ops::Range<usize>> {
        let starts = sample.match_indices(": ").map(|(index, _)| index + 2);
        starts
            .filter_map(|start| {
                let length = sample[start..].find([',', '\n'])?;
                Some(start..start + length)
            })
            .collect()
    }

    fn with_value(sample: &str, position: usize, value: &str) -> String {
        let places = values(sample);
        let place = places[position % places.len()].clone();
        format!("{}{value}{}", &sample[..place.start], &sample[place.end..])
    }

    const ODD_VALUES: [&str; 22] = [
        "null",
        "true",
        "0",
        "-1",
        "1.5",
        "1e400",
        "9007199254740991",
        "-9007199254740991",
        "9007199254740992",
        "\"\"",
        "\"-1\"",
        "\"1.005\"",
        "\"90071992547409.91\"",
        "\"-90071992547409.91\"",
        "\"0000-00-00\"",
        "\"9999-12-31T23:59:60Z\"",
        "\"0000-01-01\"",
        "\"<string>\"",
        "[]",
        "{}",
        "[{\"id\": \"a\"}, {\"id\": \"a\"}]",
        "{\"\": null}",
    ];

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), system in 0_usize..5) {
            let _refused = import_bytes(System::ALL[system], &bytes);
        }

        #[test]
        fn bytes_changed_in_a_sample_never_panic(
            system in 0_usize..5,
            changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        ) {
            let (system, sample) = SAMPLES[system];
            let mut bytes = sample.as_bytes().to_vec();
            for (index, byte) in changes {
                let index = index.index(bytes.len());
                bytes[index] = byte;
            }
            let _either = import_bytes(system, &bytes);
        }

        #[test]
        fn values_changed_in_a_sample_are_refused_by_path_or_give_a_row_that_can_be_stored(
            system in 0_usize..5,
            first in (any::<usize>(), 0..ODD_VALUES.len()),
            second in (any::<usize>(), 0..ODD_VALUES.len()),
        ) {
            let (system, sample) = SAMPLES[system];
            let text = with_value(sample, first.0, ODD_VALUES[first.1]);
            let text = with_value(&text, second.0, ODD_VALUES[second.1]);
            match import(system, &text) {
                Err(error) => {
                    prop_assert!(!error.path().is_empty());
                    prop_assert!(error.to_string().len() < 400);
                }
                Ok(imported) => {
                    let row = &imported.bill.invoice;
                    let amounts = [row.discount_total, row.total, row.applied_credits, row.amount_due, row.amount_paid];
                    prop_assert!(amounts.iter().all(|amount| amount.0 >= 0), "{amounts:?}");
                    prop_assert!(row.amount_refunded.0 >= 0);
                    prop_assert!(row.net_terms_days.is_none_or(|days| days >= 0));
                    for (start, end) in periods(&imported.bill) {
                        prop_assert!(start.zip(end).is_none_or(|(start, end)| start <= end));
                    }
                    for payment in &imported.bill.payments {
                        let row = &payment.row;
                        let amounts = [row.amount_requested, row.amount_paid, row.amount_refunded];
                        prop_assert!(amounts.iter().all(|amount| amount.0 >= 0), "{amounts:?}");
                    }
                }
            }
        }
    }

    type Period = (Option<Instant>, Option<Instant>);

    fn periods(bill: &Bill) -> impl Iterator<Item = Period> + '_ {
        let lines = bill.lines.iter().map(|line| (line.row.period_start, line.row.period_end));
        lines.chain([(bill.invoice.period_start, bill.invoice.period_end)])
    }
}
