//! Instructions that pieces of work take, counted by callgrind: the same on every machine, whatever else it does.
//!
//! The program runs itself once more, under valgrind, and every [`counted`] there gives one number. Start-up, and all that
//! is not inside of a `counted`, counts nothing. A test counts like this:
//!
//! ```text
//! let name = std::thread::current().name().unwrap().to_owned();
//! let counts = instructions::of(&["--exact", &name, "--nocapture"], || {
//!     for size in [1_000, 2_000] {
//!         let input = made_of(size);
//!         instructions::counted(&mut || read(&input));
//!     }
//! });
//! ```

use std::env;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio, exit};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Set in the program that runs under valgrind.
const COUNTING: &str = "CROSSPOINT_COUNTING";
/// The function below, in whichever program it stands.
const COUNTED: &str = "*::instructions::counted";

/// Does the work once. Under callgrind its instructions are one number of what [`of`] returns.
#[inline(never)]
pub(crate) fn counted(work: &mut dyn FnMut()) {
    work();
}

/// Why nothing was counted.
#[derive(Debug)]
pub(crate) enum Failed {
    /// There is no valgrind here.
    NoValgrind,
    /// The program did not end well under valgrind; what it wrote is there.
    Ended(String),
    /// What callgrind wrote cannot be read.
    Unreadable(PathBuf, io::Error),
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoValgrind => {
                f.write_str("valgrind is missing; install it (Debian, Ubuntu: apt install valgrind)")
            }
            Self::Ended(output) => write!(f, "the program did not end well under valgrind:\n{output}"),
            Self::Unreadable(path, error) => write!(f, "{}: {error}", path.display()),
        }
    }
}

/// The instructions of each [`counted`] in `work`, in order. `arguments` lead this program to the same call of `of`, where
/// under valgrind it does `work`, and ends.
pub(crate) fn of(arguments: &[&str], work: impl FnOnce()) -> Result<Vec<u64>, Failed> {
    if env::var_os(COUNTING).is_some() {
        work();
        exit(0);
    }
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    let call = CALLS.fetch_add(1, Ordering::Relaxed);
    let path = env::temp_dir().join(format!("crosspoint-instructions-{}-{call}", std::process::id()));
    let program = env::current_exe().map_err(|error| Failed::Unreadable("the program".into(), error))?;
    let done = Command::new("valgrind")
        .arg("--tool=callgrind")
        .arg(format!("--callgrind-out-file={}", path.display()))
        .arg("--combine-dumps=yes")
        // Only totals are read.
        .arg("--dump-line=no")
        .arg(format!("--zero-before={COUNTED}"))
        .arg(format!("--dump-after={COUNTED}"))
        .arg(program)
        .args(arguments)
        .env(COUNTING, "1")
        .stdin(Stdio::null())
        .output()
        .map_err(|_| Failed::NoValgrind)?;
    let counts = read(&path);
    // It lies among the temporary files.
    let _ = fs::remove_file(&path);
    if !done.status.success() {
        let output = [done.stdout, done.stderr].concat();
        return Err(Failed::Ended(String::from_utf8_lossy(&output).into_owned()));
    }
    counts.map_err(|error| Failed::Unreadable(path, error))
}

/// The totals of the parts that were written when `counted` ended.
fn read(path: &Path) -> io::Result<Vec<u64>> {
    let mut counts = Vec::new();
    let mut is_counted = false;
    for line in fs::read_to_string(path)?.lines() {
        if let Some(trigger) = line.strip_prefix("desc: Trigger: ") {
            is_counted = trigger.starts_with("--dump-after");
        } else if let Some(total) = line.strip_prefix("totals: ")
            && is_counted
        {
            counts.push(total.trim().parse().map_err(io::Error::other)?);
        }
    }
    Ok(counts)
}
