//! A process of its own for what ends or stalls one: this program of tests again, doing one thing.
#![allow(clippy::print_stdout, reason = "a process tells what it measured by its output")]

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use super::documents;

/// The variable that says what to do, and how much of it.
const TOLD: &str = "BILLING_TEST_ALONE";

/// What is said when the attack begins; what goes before is the start of a process.
const BEGUN: &str = "begun";

/// The stack of a thread of tokio's, on which requests are answered.
const STACK: usize = 2 << 20;

/// How an attack ended.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) end: End,
    pub(super) took: Duration,
    /// What it measured.
    pub(super) said: String,
    /// What the runtime complained about.
    pub(super) complaint: String,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum End {
    /// It did what it was told.
    Well,
    /// It failed by itself.
    Failed,
    /// The system ended it.
    Signal(i32),
    /// It was busy until the deadline, and was killed.
    Busy,
}

/// A child that is gone with the value, however the test ends.
struct Gone(Child);

impl Drop for Gone {
    fn drop(&mut self) {
        // It may have ended already.
        let _ended = self.0.kill();
        let _reaped = self.0.wait();
    }
}

impl Gone {
    /// How it ended; absent when it was still busy at the deadline.
    fn end_by(&mut self, deadline: Instant) -> Option<ExitStatus> {
        loop {
            let ended = self.0.try_wait().expect("its end can be asked for");
            if ended.is_some() || Instant::now() >= deadline {
                return ended;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

/// Does `what` of `size` in a process of its own, for no longer than `patience`.
pub(super) fn alone(what: &str, size: usize, patience: Duration) -> Outcome {
    let test = format!("{}::told_what_to_do", module_path!().split_once("::").unwrap().1);
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", &test, "--ignored", "--nocapture"]).env(TOLD, format!("{what} {size}"));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = Gone(command.spawn().unwrap());
    let mut out = BufReader::new(child.0.stdout.take().unwrap());
    let mut line = String::new();
    while line.trim_end() != BEGUN {
        line.clear();
        assert!(out.read_line(&mut line).unwrap() > 0, "it ended before it began: {test}");
    }
    let begun = Instant::now();
    let ended = child.end_by(begun + patience);
    let took = begun.elapsed();
    let end = match ended {
        None => End::Busy,
        Some(status) if status.success() => End::Well,
        Some(status) => status.signal().map_or(End::Failed, End::Signal),
    };
    let mut err = child.0.stderr.take().unwrap();
    drop(child);
    let (mut said, mut complaint) = (String::new(), String::new());
    out.read_to_string(&mut said).unwrap();
    err.read_to_string(&mut complaint).unwrap();
    Outcome { end, took, said, complaint }
}

#[test]
#[ignore = "run by the tests beside it, in a process of its own"]
#[expect(clippy::disallowed_methods, reason = "how one process tells the other")]
fn told_what_to_do() {
    let Ok(told) = std::env::var(TOLD) else { return };
    let (what, size) = told.split_once(' ').unwrap();
    let (what, size) = (what.to_owned(), size.parse().unwrap());
    let attack = move || {
        let prepared = documents::prepare(&what, size);
        println!("\n{BEGUN}");
        println!("{}", prepared());
    };
    std::thread::Builder::new().stack_size(STACK).spawn(attack).unwrap().join().unwrap();
}
