//! A child process that is always ended, whose output is read with a deadline, and whose last
//! words are shown when the test that owns it fails.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// How many lines of output a failing test shows.
const SHOWN_LINES: usize = 40;

/// A running program.
pub struct Process {
    name: String,
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    output: Arc<Mutex<Vec<String>>>,
    errors: Arc<Mutex<String>>,
}

impl Process {
    /// Starts `command`; `name` is how a failing test calls it.
    pub fn start(name: &str, mut command: Command) -> Self {
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command
            .spawn()
            .unwrap_or_else(|e| panic!("{name} does not start: {e} ({command:?})"));
        let output = Arc::new(Mutex::new(Vec::new()));
        let errors = Arc::new(Mutex::new(String::new()));
        let lines = read_lines(child.stdout.take().expect("piped"), output.clone());
        collect(child.stderr.take().expect("piped"), errors.clone());
        let stdin = child.stdin.take();
        Self {
            name: name.to_owned(),
            child,
            stdin,
            lines,
            output,
            errors,
        }
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The next line of standard output, or `None` at its end.
    ///
    /// # Panics
    /// When none comes before `deadline`.
    pub fn line(&mut self, deadline: Instant, waiting_for: &str) -> Option<String> {
        let left = deadline.saturating_duration_since(Instant::now());
        match self.lines.recv_timeout(left) {
            Ok(line) => Some(line),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("{}: no {waiting_for} in time", self.name),
        }
    }

    /// The next line of standard output, if there is one already.
    pub fn line_now(&mut self) -> Option<String> {
        self.lines.try_recv().ok()
    }

    /// Every line of standard output so far.
    pub fn output(&self) -> Vec<String> {
        self.output.lock().expect("reader lives").clone()
    }

    /// Standard error so far.
    pub fn errors(&self) -> String {
        self.errors.lock().expect("reader lives").clone()
    }

    /// Types a line.
    pub fn type_line(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().expect("standard input is open");
        writeln!(stdin, "{line}")
            .and_then(|()| stdin.flush())
            .expect("the program reads its input");
    }

    /// Closes standard input.
    pub fn close_input(&mut self) {
        self.stdin = None;
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id())
            .ok()
            .and_then(Pid::from_raw)
            .expect("a child has an id");
        kill_process(pid, signal).unwrap_or_else(|e| panic!("{}: {e}", self.name));
    }

    /// Ends it at once, as a crash or a power cut would.
    pub fn kill(&mut self) {
        // An error says that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it still runs after `limit`.
    pub fn wait(&mut self, limit: Duration) -> ExitStatus {
        self.try_wait(limit)
            .unwrap_or_else(|| panic!("{} still runs after {limit:?}", self.name))
    }

    /// Waits for its end; `None` when it still runs after `limit`.
    pub fn try_wait(&mut self, limit: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = self.child.try_wait().expect("a child can be waited for") {
                return Some(status);
            }
            if Instant::now() >= deadline {
                return None;
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if thread::panicking() {
            let output = self.output();
            let tail = output.len().saturating_sub(SHOWN_LINES);
            eprintln!("--- {} said:\n{}", self.name, output[tail..].join("\n"));
            eprintln!("--- {} complained:\n{}", self.name, self.errors());
        }
    }
}

fn read_lines(from: impl Read + Send + 'static, kept: Arc<Mutex<Vec<String>>>) -> Receiver<String> {
    let (sender, lines) = channel();
    thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            kept.lock().expect("owner lives").push(line.clone());
            // The receiver may be gone; the pipe is emptied all the same.
            let _ = sender.send(line);
        }
    });
    lines
}

fn collect(from: impl Read + Send + 'static, into: Arc<Mutex<String>>) {
    thread::spawn(move || {
        let mut from = BufReader::new(from);
        let mut line = Vec::new();
        while matches!(from.read_until(b'\n', &mut line), Ok(n) if n > 0) {
            into.lock()
                .expect("owner lives")
                .push_str(&String::from_utf8_lossy(&line));
            line.clear();
        }
    });
}
