//! The output of a process: lines of stdout in a bounded queue, the end of stderr in memory.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{ChildStderr, ChildStdout};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// Lines of stdout that wait for a story to read them. When it is full the reader stops, and the
/// process waits in its write until somebody reads; nothing is dropped.
const STDOUT_LINES: usize = 65_536;

/// Lines of stderr that are kept to be shown. Older ones are dropped, the process never waits.
const STDERR_LINES: usize = 200;

/// Both streams of one process, read by two tasks that end with the streams, or with this value.
#[derive(Debug)]
pub(crate) struct Output {
    stdout: mpsc::Receiver<String>,
    stderr: Arc<Mutex<VecDeque<String>>>,
    readers: JoinSet<()>,
}

impl Output {
    pub(crate) fn of(stdout: ChildStdout, stderr: ChildStderr) -> Self {
        let (lines, received) = mpsc::channel(STDOUT_LINES);
        let tail = Arc::new(Mutex::new(VecDeque::new()));
        let mut readers = JoinSet::new();
        readers.spawn(async move {
            let mut stdout = BufReader::new(stdout);
            while let Some(line) = next_line(&mut stdout).await {
                if lines.send(line).await.is_err() {
                    break;
                }
            }
        });
        readers.spawn({
            let tail = Arc::clone(&tail);
            async move {
                let mut stderr = BufReader::new(stderr);
                while let Some(line) = next_line(&mut stderr).await {
                    let mut tail = tail.lock().unwrap_or_else(PoisonError::into_inner);
                    if tail.len() == STDERR_LINES {
                        tail.pop_front();
                    }
                    tail.push_back(line);
                }
            }
        });
        Self { stdout: received, stderr: tail, readers }
    }

    /// The next line of stdout; `None` once the stream has ended and all of it has been read.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a line is taken only when it is returned.
    pub(crate) async fn line(&mut self) -> Option<String> {
        self.stdout.recv().await
    }

    /// A line of stdout that is already there.
    pub(crate) fn line_at_hand(&mut self) -> Option<String> {
        self.stdout.try_recv().ok()
    }

    /// Waits until both streams have ended, which may be never if a grandchild holds them.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub(crate) async fn finished(&mut self) {
        while self.readers.join_next().await.is_some() {}
    }

    pub(crate) fn stderr(&self) -> String {
        let tail = self.stderr.lock().unwrap_or_else(PoisonError::into_inner);
        tail.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }
}

/// One line without its end, whatever bytes it has; `None` at the end or at an error.
async fn next_line<R: AsyncRead + Unpin>(reader: &mut BufReader<R>) -> Option<String> {
    let mut bytes = Vec::new();
    if reader.read_until(b'\n', &mut bytes).await.ok()? == 0 {
        return None;
    }
    let text = String::from_utf8_lossy(&bytes);
    Some(text.trim_end_matches(['\r', '\n']).to_owned())
}
