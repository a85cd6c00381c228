//! A disk that is full: nothing is acknowledged that is not stored, reads go on, and room is all it takes to go on.
//!
//! As root the disk is a small one in memory (tmpfs), which only the process of the database sees, or which is named no
//! more: it is gone with it. Everyone may limit the size of a process's files instead, which the engines report
//! differently.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use entity::webhook_event;
use sea_orm::{ConnectOptions, Database, EntityTrait};
use tempfile::TempDir;

use super::served::{Answer, Served, are_answered, ask};
use crate::support::database::{OwnServer, is_root, limiting, run};
use crate::support::program::{shell, signal};

/// Bytes of an event, so that few fill what is left.
const PADDING: usize = 200_000;

/// More events than fit anywhere here.
const EVENTS: usize = 200;

/// How many of them are refused before there is room again.
const REFUSED: usize = 5;

/// How soon events are taken once there is room.
const BACK: Duration = Duration::from_secs(5);

/// How room is taken away from the processes of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Narrow {
    /// The disk is filled: `ENOSPC`.
    Disk,
    /// Their files may not grow beyond so many bytes: `EFBIG`.
    Files(u64),
}

impl Narrow {
    fn all(bytes: u64) -> Vec<Self> {
        if is_root() { vec![Self::Disk, Self::Files(bytes)] } else { vec![Self::Files(bytes)] }
    }
}

/// Where a database is, and how its room is taken and given back.
struct Disk<'a> {
    narrow: Narrow,
    /// A file on it.
    filler: PathBuf,
    /// Limits the files of its processes, or lets them grow.
    limit: Box<dyn Fn(Option<u64>) + 'a>,
}

impl Disk<'_> {
    fn fill(&self) {
        match self.narrow {
            Narrow::Disk => {
                let zeros = vec![0; 64 * 1024];
                let mut file = File::create(&self.filler).unwrap();
                while file.write_all(&zeros).is_ok() {}
            }
            Narrow::Files(bytes) => (self.limit)(Some(bytes)),
        }
    }

    fn free(&self) {
        match self.narrow {
            Narrow::Disk => std::fs::remove_file(&self.filler).unwrap(),
            Narrow::Files(_) => (self.limit)(None),
        }
    }
}

/// Sends events until some are refused for want of room, asks meanwhile, and makes room. Gives what was answered.
async fn sent_through(served: &Served, disk: &Disk<'_>) -> Vec<Answer> {
    served.until_answered(BACK).await;
    let mut sent = vec![send(served).await];
    are_answered(&sent, &[200], BACK);
    disk.fill();
    while refused(&sent) < REFUSED && sent.len() < EVENTS {
        sent.push(send(served).await);
        are_answered(&[ask(String::new(), served.question()).await], &[200], BACK);
    }
    are_answered(&sent, &[200, 503], BACK);
    assert_eq!(refused(&sent), REFUSED, "there always was room");
    assert_eq!((served.status("/livez").await.status, served.status("/readyz").await.status), (Some(200), Some(200)));

    disk.free();
    let begun = Instant::now();
    loop {
        sent.push(send(served).await);
        if sent.last().unwrap().status == Some(200) {
            break;
        }
        assert!(begun.elapsed() < BACK, "{:?}", sent.last());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    served.until_answered(BACK).await;
    sent
}

async fn send(served: &Served) -> Answer {
    let (id, event) = served.event(PADDING);
    ask(id, event).await
}

fn refused(sent: &[Answer]) -> usize {
    sent.iter().filter(|answer| answer.status == Some(503)).count()
}

/// What was acknowledged is stored, and what was refused is not.
async fn agree(url: &str, sent: &[Answer]) {
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    let rows = webhook_event::Entity::find().all(&Database::connect(options).await.unwrap()).await.unwrap();
    let stored: BTreeSet<String> = rows.into_iter().map(|row| row.event_id).collect();
    for answer in sent {
        assert_eq!(stored.contains(&answer.label), answer.status == Some(200), "{answer:?}");
    }
}

/// The program, on a disk of its own in the folder `disk` where the disk is to be filled.
fn command(folder: &TempDir, narrow: Narrow) -> Command {
    std::fs::create_dir(folder.path().join("disk")).unwrap();
    let line = match narrow {
        Narrow::Disk => {
            "exec unshare --mount -- /bin/sh -c \
             'mount -t tmpfs -o size=24m tmpfs \"$PWD/disk\" && exec billing-gateway \"$@\"' sh \"$@\""
        }
        // What would be too large is told as an error instead of ending the process.
        Narrow::Files(_) => "trap '' XFSZ; exec billing-gateway \"$@\"",
    };
    let mut command = shell(folder.path(), line);
    command.arg("sh");
    command
}

/// A copy of what is on the disk at this moment, as a power failure would leave it.
fn copied(served: &Served) -> String {
    let disk = PathBuf::from(format!("/proc/{}/cwd/disk", served.pid()));
    let copy = served.folder().join("copy.db");
    signal("STOP", &[served.pid()]);
    for end in ["", "-wal"] {
        std::fs::copy(disk.join(format!("demo.db{end}")), format!("{}{end}", copy.display())).unwrap();
    }
    signal("CONT", &[served.pid()]);
    format!("sqlite://{}", copy.display())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r13_a_full_disk_under_sqlite_refuses_writes_answers_reads_and_goes_on_when_there_is_room() {
    for narrow in Narrow::all(2 << 20) {
        let mut served = Served::start(|folder| command(folder, narrow), "sqlite://disk/demo.db", &[]);
        let process = served.pid();
        let limit = Box::new(move |bytes| run(&mut limiting(process, bytes)));
        let disk = Disk { narrow, filler: format!("/proc/{process}/cwd/disk/filler").into(), limit };
        let sent = sent_through(&served, &disk).await;
        agree(&copied(&served), &sent).await;
        served.is_sound();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r13_a_full_disk_under_postgres_refuses_writes_answers_reads_and_goes_on_when_there_is_room() {
    // As long as a file of its log, which it could not do without.
    for narrow in Narrow::all(16 << 20) {
        let postgres = if narrow == Narrow::Disk { OwnServer::on_small_disk() } else { OwnServer::start() };
        let mut served = Served::demo(&postgres.url, &[]);
        let limit = Box::new(|bytes| postgres.limit_files(bytes));
        let disk = Disk { narrow, filler: postgres.folder_as_it_sees_it().join("filler"), limit };
        let sent = sent_through(&served, &disk).await;
        agree(&postgres.url, &sent).await;
        served.is_sound();
    }
}
