//! A Postgres server of one test's own, which may be killed, stopped and frozen.
//!
//! Unlike the server that tests share, it keeps what it committed: `fsync` and `synchronous_commit` are on, as Postgres
//! has them by default. It listens on a socket file and is gone with the value that started it.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use sea_orm::DatabaseConnection;
use tempfile::TempDir;

use super::server::{Account, Programs, programs};
use crate::support::program::signal;

/// No network, little memory, and everything else as it is by default.
const SETTINGS: &str = "
listen_addresses = ''
shared_buffers = 16MB
max_connections = 60
";

/// How long a server may take to start, which after a crash is not before the last of its processes is gone.
const START: Duration = Duration::from_secs(20);

/// A running server with one database, which is empty at first.
#[derive(Debug)]
pub(crate) struct OwnServer {
    /// Where the database is, in the form the program takes.
    pub(crate) url: String,
    programs: Programs,
    data: PathBuf,
    /// The process when its folder has no name any more.
    hidden: Option<u32>,
    _folder: TempDir,
}

impl OwnServer {
    pub(crate) fn start() -> Self {
        let server = Self::made(|_data| {});
        server.start_again();
        server
    }

    /// One whose data lies on a disk of 80 MB in memory, and its log of writes elsewhere: where that has no room, the
    /// server ends itself. The disk has no name once the server runs, so it is gone with it. Only root can make one.
    pub(crate) fn on_small_disk() -> Self {
        let mut server = Self::made(|data| {
            std::fs::create_dir(data).expect("the folder can be made");
            let disk = ["-t", "tmpfs", "-o", "size=80m", "tmpfs"];
            run(Command::new("mount").args(disk).arg(data));
        });
        let log = server.data.join("pg_wal");
        let elsewhere = server.programs.home.join("pg_wal");
        let moved = Command::new("cp").arg("-a").arg(&log).arg(&elsewhere).status();
        assert!(moved.is_ok_and(|status| status.success()), "the log can be copied");
        std::fs::remove_dir_all(&log).expect("the log can be removed");
        std::os::unix::fs::symlink(&elsewhere, &log).expect("the log can be elsewhere");
        server.start_again();
        server.hidden = postmaster(&server.data);
        run(Command::new("umount").arg("--lazy").arg(&server.data));
        server
    }

    fn made(prepare: impl FnOnce(&Path)) -> Self {
        let folder = TempDir::with_prefix("billing-gateway-own-").expect("a temporary folder");
        let home = folder.path().to_path_buf();
        let programs = Programs { folder: programs(), home: home.clone(), account: Account::for_server() };
        programs.give_away(&home);
        let data = home.join("data");
        prepare(&data);
        if data.exists() {
            programs.give_away(&data);
        }
        programs.init(&data, SETTINGS).unwrap_or_else(|said| panic!("initdb failed: {said}"));
        let url = format!("postgres://postgres@localhost/postgres?host={}", home.display());
        Self { url, programs, data, hidden: None, _folder: folder }
    }

    /// Starts it on the data it has, however it ended, and gives how long that took.
    pub(crate) fn start_again(&self) -> Duration {
        let begun = Instant::now();
        loop {
            match self.programs.start_on(&self.data) {
                Ok(()) => return begun.elapsed(),
                Err(said) if begun.elapsed() > START => panic!("the server does not start: {said}"),
                Err(_) => std::thread::sleep(Duration::from_millis(100)),
            }
        }
    }

    /// Ends all of it at once, in order: clients see their connections closed.
    pub(crate) fn stop(&self) {
        let stopped = self.programs.run("pg_ctl", &["stop", "--wait", "--mode=immediate"], &self.data);
        stopped.unwrap_or_else(|said| panic!("pg_ctl failed: {said}"));
    }

    /// Kills the process that all others belong to, as the system does when it runs out of memory.
    pub(crate) fn kill(&self) {
        signal("KILL", &[self.postmaster()]);
    }

    /// Stops every process of it where it is: connections stay open, and nothing answers any more.
    pub(crate) fn freeze(&self) {
        let postmaster = self.postmaster();
        // First the one that makes others.
        signal("STOP", &[postmaster]);
        signal("STOP", &children(postmaster));
    }

    pub(crate) fn thaw(&self) {
        let postmaster = self.postmaster();
        signal("CONT", &children(postmaster));
        signal("CONT", &[postmaster]);
    }

    /// A small pool of plain connections, for looking at what is stored.
    pub(crate) async fn connect(&self) -> DatabaseConnection {
        super::connect(&self.url, 2).await
    }

    /// All its processes.
    pub(crate) fn processes(&self) -> Vec<u32> {
        let postmaster = self.postmaster();
        let mut all = children(postmaster);
        all.push(postmaster);
        all
    }

    /// Lets none of its files grow beyond so many bytes, which every process of it has to be told; or lets them grow.
    pub(crate) fn limit_files(&self, bytes: Option<u64>) {
        let Account { uid, gid } = self.programs.account.unwrap_or(Account::of_tests());
        for process in self.processes() {
            let mut command = limiting(process, bytes);
            run(command.uid(uid).gid(gid));
        }
    }

    /// Its data, also where that has no name.
    pub(crate) fn folder_as_it_sees_it(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/cwd", self.postmaster()))
    }

    fn postmaster(&self) -> u32 {
        self.hidden.or_else(|| postmaster(&self.data)).expect("the server runs")
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        if let Some(postmaster) = self.hidden.or_else(|| postmaster(&self.data)) {
            // Frozen processes hear of nothing else.
            signal("KILL", &children(postmaster));
            signal("KILL", &[postmaster]);
        }
    }
}

pub(crate) fn run(command: &mut Command) {
    let said = command.output().expect("the program can be run");
    assert!(said.status.success(), "{command:?}: {said:?}");
}

/// What limits the files of a process.
pub(crate) fn limiting(process: u32, bytes: Option<u64>) -> Command {
    let bytes = bytes.map_or_else(|| "unlimited".to_owned(), |bytes| bytes.to_string());
    // One that has ended meanwhile has no limits any more.
    let line = format!("prlimit --pid {process} --fsize={bytes}: || test ! -e /proc/{process}");
    let mut command = Command::new("/bin/sh");
    command.args(["-c", &line]);
    command
}

/// Whether the tests may make disks.
pub(crate) fn is_root() -> bool {
    Account::for_server().is_some()
}

fn postmaster(data: &Path) -> Option<u32> {
    let noted = std::fs::read_to_string(data.join("postmaster.pid")).ok()?;
    noted.lines().next()?.parse().ok()
}

/// The processes that `parent` made.
fn children(parent: u32) -> Vec<u32> {
    let processes = std::fs::read_dir("/proc").expect("the system tells its processes").flatten();
    let numbered = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    numbered.filter(|process| parent_of(*process) == Some(parent)).collect()
}

fn parent_of(process: u32) -> Option<u32> {
    // The name, in brackets, may have blanks of its own.
    let told = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let (_, behind) = told.rsplit_once(')')?;
    behind.split_whitespace().nth(1)?.parse().ok()
}
