//! Files of documents: trusted ones, read and checked, and new ones made of a client's documents.

use std::io::Read;
use std::path::{Path, PathBuf};

use super::AppError;
use crate::gate::{CostTable, Limits};
use crate::graphql;
use crate::http::{DocumentFault, Manifest, ManifestError, Trusted, Written, listed_document};

/// Bytes of a file of documents.
const FILE_BYTES_MAX: u64 = 32 * 1_024 * 1_024;

/// How many faults are told at once.
const FAULTS_TOLD: usize = 100;

/// Why there are no documents.
#[derive(Debug, thiserror::Error)]
pub enum DocumentsError {
    /// A file cannot be read.
    #[error("{} cannot be read", path.display())]
    Unreadable {
        /// Which one.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// It is too large.
    #[error("{} has more than {FILE_BYTES_MAX} bytes", .0.display())]
    TooLarge(PathBuf),
    /// It holds no documents.
    #[error("{} holds no documents", path.display())]
    Manifest {
        /// Which one.
        path: PathBuf,
        /// Why not.
        #[source]
        source: ManifestError,
    },
    /// Some of its documents cannot be executed.
    #[error("{} has documents that cannot be executed: {}", path.display(), told(faults))]
    Faults {
        /// Which one.
        path: PathBuf,
        /// What is wrong with them: one at least.
        faults: Vec<DocumentFault>,
    },
}

fn told(faults: &[DocumentFault]) -> String {
    let mut told: Vec<String> = faults.iter().take(FAULTS_TOLD).map(DocumentFault::to_string).collect();
    if let Some(more) = faults.len().checked_sub(FAULTS_TOLD).filter(|more| *more > 0) {
        told.push(format!("and {more} more"));
    }
    told.join("; ")
}

/// The trusted documents of a file, each of which the gate admits and the schema fits.
///
/// # Errors
/// [`AppError::Documents`], with every document that is wrong.
pub async fn trusted(path: &Path, limits: &Limits) -> Result<Trusted, AppError> {
    let manifest =
        Manifest::read(&read(path)?).map_err(|source| DocumentsError::Manifest { path: path.to_owned(), source })?;
    let trusted = Trusted::read(manifest, limits, &costs()?).await;
    Ok(trusted.map_err(|faults| DocumentsError::Faults { path: path.to_owned(), faults })?)
}

/// The documents of files, and of all files in folders that end in `.graphql` or `.gql`, in the order of their names.
/// The same document is listed once.
///
/// # Errors
/// [`AppError::Documents`], with every document that is wrong.
pub async fn written(paths: &[PathBuf], limits: &Limits) -> Result<Vec<Written>, AppError> {
    let costs = costs()?;
    let mut documents: Vec<Written> = Vec::new();
    let mut faults = Vec::new();
    for path in files(paths)? {
        let id = path.display().to_string();
        let Ok(text) = String::from_utf8(read(&path)?) else {
            faults.push(DocumentFault { id, problem: "it is no text in UTF-8".to_owned() });
            continue;
        };
        match listed_document(&text, limits, &costs).await {
            Ok(written) if documents.iter().any(|known| known.id == written.id) => {}
            Ok(written) => documents.push(written),
            Err(problems) => {
                faults.extend(problems.into_iter().map(|problem| DocumentFault { id: id.clone(), problem }));
            }
        }
    }
    if faults.is_empty() {
        return Ok(documents);
    }
    let path = paths.first().cloned().unwrap_or_default();
    Err(DocumentsError::Faults { path, faults }.into())
}

fn costs() -> Result<CostTable, AppError> {
    graphql::cost::table(&graphql::schema()).map_err(|error| AppError::Schema(error.to_string()))
}

/// The files themselves, and those in the folders.
fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, DocumentsError> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let unreadable = |source| DocumentsError::Unreadable { path: path.clone(), source };
        let mut inside = Vec::new();
        for entry in std::fs::read_dir(path).map_err(unreadable)? {
            let file = entry.map_err(unreadable)?.path();
            inside.extend(file.extension().is_some_and(|kind| kind == "graphql" || kind == "gql").then_some(file));
        }
        inside.sort();
        files.append(&mut inside);
    }
    Ok(files)
}

/// What a file holds, and no more of it than is allowed.
fn read(path: &Path) -> Result<Vec<u8>, DocumentsError> {
    let unreadable = |source| DocumentsError::Unreadable { path: path.to_owned(), source };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX.saturating_add(1)).read_to_end(&mut bytes).map_err(unreadable)?;
    if u64::try_from(bytes.len()).is_ok_and(|len| len <= FILE_BYTES_MAX) {
        Ok(bytes)
    } else {
        Err(DocumentsError::TooLarge(path.to_owned()))
    }
}
