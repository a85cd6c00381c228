//! The program itself, run as people and scripts run it.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// How long the program may take to end once it was told to.
const STOP: Duration = Duration::from_secs(5);

/// The program in `folder`, with no setting of whoever runs the tests.
pub(crate) fn program(folder: &Path) -> Command {
    clean(Command::new(env!("CARGO_BIN_EXE_billing-gateway")), folder)
}

/// A line of shell in `folder`, in which `billing-gateway` is the program.
pub(crate) fn shell(folder: &Path, line: &str) -> Command {
    let mut command = clean(Command::new("/bin/sh"), folder);
    command.args(["-c", line]);
    command
}

fn clean(mut command: Command, folder: &Path) -> Command {
    let binaries = Path::new(env!("CARGO_BIN_EXE_billing-gateway")).parent().expect("the program has a folder");
    let path = format!("{}:/usr/local/bin:/usr/bin:/bin", binaries.display());
    command.env_clear().env("PATH", path).current_dir(folder).stdin(Stdio::null());
    command
}

/// What a command said, and its exit code.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).expect("output is UTF-8"),
            err: String::from_utf8(output.stderr).expect("errors are UTF-8"),
        }
    }
}

impl Said {
    /// The output, after making sure that the command succeeded.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.out
    }

    /// The one line that says why it failed.
    #[track_caller]
    pub(crate) fn failure(self) -> String {
        assert_eq!(self.code, Some(1), "{self:?}");
        assert_eq!(self.err.lines().count(), 1, "{self:?}");
        assert!(self.err.starts_with("error: "), "{self:?}");
        self.err
    }
}

/// Runs a command to its end.
pub(crate) fn run(mut command: Command) -> Said {
    command.output().expect("the program can be run").into()
}

/// A program that runs until it is told to stop. One that is dropped is killed.
pub(crate) struct Running {
    child: Child,
    out: BufReader<ChildStdout>,
}

impl Running {
    pub(crate) fn start(command: Command) -> Self {
        Self::telling(command, Stdio::piped())
    }

    /// The same with its standard error elsewhere: nobody reads a pipe that much is written to.
    pub(crate) fn telling(mut command: Command, err: impl Into<Stdio>) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(err).spawn().expect("the program starts");
        let out = BufReader::new(child.stdout.take().expect("its output is piped"));
        Self { child, out }
    }

    /// The same for one that may log a lot: what it says goes to a file.
    pub(crate) fn start_with_log(mut command: Command, log: &Path) -> Self {
        let log = File::create(log).expect("the log can be written");
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().expect("the program starts");
        let out = BufReader::new(child.stdout.take().expect("its output is piped"));
        Self { child, out }
    }

    /// The process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has not ended.
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("its end can be asked for").is_none()
    }

    /// Reads until a line of its output is as wanted. Fails with what it said when it ends before.
    pub(crate) fn line(&mut self, wanted: impl Fn(&str) -> bool) -> String {
        loop {
            let mut line = String::new();
            if self.out.read_line(&mut line).expect("its output is UTF-8") == 0 {
                let mut said = String::new();
                if let Some(mut err) = self.child.stderr.take() {
                    err.read_to_string(&mut said).expect("its errors are UTF-8");
                }
                panic!("it ended before it was ready: {said}");
            }
            if wanted(&line) {
                return line;
            }
        }
    }

    /// Ends it at once, as a power failure would.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("its end can be waited for");
    }

    /// Sends it a signal.
    pub(crate) fn tell(&self, signal: &str) {
        let told = Command::new("kill").args([&format!("-{signal}"), &self.child.id().to_string()]).status();
        assert!(told.is_ok_and(|status| status.success()), "it can be sent {signal}");
    }

    /// Tells it to stop, makes sure that it does in time and well, and gives the rest of its output.
    pub(crate) fn stop(mut self) -> String {
        if self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            self.tell("TERM");
        }
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("its end can be waited for") {
                break status;
            }
            assert!(begun.elapsed() < STOP, "it did not stop within {STOP:?}");
            std::thread::sleep(Duration::from_millis(10));
        };
        assert!(status.success(), "it ended with {status}");
        let mut rest = String::new();
        self.out.read_to_string(&mut rest).expect("its output is UTF-8");
        rest
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// Sends a signal to processes; those that are gone have nothing to hear.
pub(crate) fn signal(name: &str, processes: &[u32]) {
    if processes.is_empty() {
        return;
    }
    let mut kill = Command::new("kill");
    kill.arg(format!("-{name}")).args(processes.iter().map(ToString::to_string));
    drop(kill.output().expect("signals can be sent"));
}
