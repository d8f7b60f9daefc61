use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use proptest::prelude::*;

use super::*;

/// A disk that follows a script: how many bytes each write takes, where 0 is a full disk, and
/// whether opening and renaming fail.
#[derive(Debug)]
struct Faulty {
    script: Vec<usize>,
    next: usize,
}

impl Faulty {
    fn next(&mut self) -> usize {
        // After the script, the disk has room.
        let step = self.script.get(self.next).copied().unwrap_or(usize::MAX);
        self.next += 1;
        step
    }
}

impl System for Faulty {
    fn open(&mut self, path: &Path) -> io::Result<File> {
        match self.next() {
            1 => Err(ErrorKind::PermissionDenied.into()),
            _ => Disk.open(path),
        }
    }

    fn write(&mut self, file: &mut File, bytes: &[u8]) -> io::Result<usize> {
        match self.next() {
            0 => Err(ErrorKind::StorageFull.into()),
            most => file.write(&bytes[..most.min(bytes.len())]),
        }
    }

    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        match self.next() {
            1 => Err(ErrorKind::PermissionDenied.into()),
            _ => Disk.rename(from, to),
        }
    }
}

/// Something that happens to the file between two writes.
#[derive(Debug, Clone, Copy)]
enum Event {
    Nothing,
    /// logrotate without `copytruncate`, and SIGHUP.
    Renamed,
    /// logrotate with `copytruncate`.
    CopiedAndTruncated,
    /// Another process appends a line.
    Appended,
    /// Another process is killed within a line.
    Torn,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        3 => Just(Event::Nothing),
        1 => Just(Event::Renamed),
        1 => Just(Event::CopiedAndTruncated),
        1 => Just(Event::Appended),
        1 => Just(Event::Torn),
    ]
}

fn batch(lines: &[String]) -> Batch {
    let mut batch = Batch::default();
    for line in lines {
        batch.add(line.as_bytes());
    }
    batch
}

fn append(path: &Path, text: &str) {
    Disk.open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

proptest! {
    /// Each line is there as a whole, and nothing is merged with another line, whatever the disk
    /// does and whoever else touches the file. Unless somebody does, no line is there twice.
    #[test]
    fn no_line_is_lost_or_merged(
        script in prop::collection::vec(0..60_usize, 0..60),
        events in prop::collection::vec(event(), 0..12),
        lengths in prop::collection::vec(1..40_usize, 1..30),
        rotated in any::<bool>(),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let rotate = Rotate { bytes: if rotated { 100 } else { 0 }, keep: 900 };
        let faulty = Faulty { script, next: 0 };
        let Ok(mut file) = LogFile::open(path.clone(), rotate, faulty) else { return Ok(()) };
        let lines: Vec<String> = (0..)
            .zip(&lengths)
            .map(|(number, length)| format!("<{number:03}{}>\n", "x".repeat(*length)))
            .collect();
        let alone = events.iter().all(|event| matches!(event, Event::Nothing));
        let mut events = events.into_iter();
        let mut other = 0;
        let mut copies = Vec::new();
        for some in lines.chunks(4) {
            let mut batch = batch(some);
            loop {
                let done = file.write(&mut batch).is_ok();
                match events.next().unwrap_or(Event::Nothing) {
                    Event::Nothing => {}
                    Event::Renamed => {
                        let moved = folder.path().join(format!("moved-{other}"));
                        let _ = fs::rename(&path, moved);
                        let _ = file.reopen();
                    }
                    Event::CopiedAndTruncated => {
                        copies.push(fs::read_to_string(&path).unwrap_or_default());
                        let _ = fs::write(&path, "");
                    }
                    Event::Appended => append(&path, &format!("\n<other{other}>\n")),
                    Event::Torn => append(&path, &format!("\n<torn{other}")),
                }
                other += 1;
                if done {
                    break;
                }
            }
        }
        drop(file);
        for entry in fs::read_dir(folder.path()).unwrap() {
            copies.push(fs::read_to_string(entry.unwrap().path()).unwrap());
        }
        let mut found: BTreeMap<&str, usize> = BTreeMap::new();
        for line in copies.iter().flat_map(|text| text.lines()) {
            prop_assert!(line.matches('<').count() <= 1, "merged: {line}");
            if line.starts_with('<') && line.ends_with('>') && !line.contains("other") {
                *found.entry(line).or_default() += 1;
            }
        }
        for line in &lines {
            let times = found.get(line.trim_end()).copied().unwrap_or_default();
            prop_assert!(times == 1 || times > 1 && !alone, "{times} times: {line}");
        }
    }
}

#[test]
fn files_are_rotated_by_size_and_the_oldest_is_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let rotate = Rotate { bytes: 10, keep: 2 };
    let mut file = LogFile::open(path.clone(), rotate, Disk).unwrap();
    let lines = ["11111\n", "22\n", "33333333333333\n", "4\n", "5\n"].map(str::to_owned);
    file.write(&mut batch(&lines)).unwrap();
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    assert_eq!(read("log"), "4\n5\n");
    assert_eq!(read("log.1"), "33333333333333\n", "a line is never cut");
    assert_eq!(read("log.2"), "11111\n22\n");
    file.write(&mut batch(&["666666666\n".to_owned()])).unwrap();
    assert_eq!(read("log.2"), "33333333333333\n");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
}

#[test]
fn two_processes_rotate_a_file_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let rotate = Rotate { bytes: 10, keep: 5 };
    let open = || LogFile::open(path.clone(), rotate, Disk).unwrap();
    let mut workers = [open(), open()];
    let line = |text: &str| batch(&[text.to_owned()]);
    for worker in &mut workers {
        worker.write(&mut line("first\n")).unwrap();
    }
    for worker in &mut workers {
        worker.write(&mut line("second\n")).unwrap();
    }
    drop(workers);
    let all: String = ["log.4", "log.3", "log.2", "log.1", "log"]
        .iter()
        .map(|name| fs::read_to_string(folder.path().join(name)).unwrap_or_default())
        .collect();
    assert_eq!(all.matches("first").count(), 2);
    assert_eq!(all.matches("second").count(), 2);
}

#[test]
fn a_file_that_another_program_renamed_is_left_within_a_second() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let mut file = LogFile::open(path.clone(), Rotate::default(), Disk).unwrap();
    fs::rename(&path, folder.path().join("old")).unwrap();
    file.looked = Instant::now().checked_sub(LOOK).unwrap();
    file.write(&mut batch(&["line\n".to_owned()])).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "line\n");
}

#[test]
fn only_a_regular_file_is_opened_and_a_new_one_is_private() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("file"), "").unwrap();
    std::os::unix::fs::symlink(path("file"), path("link")).unwrap();
    std::os::unix::fs::symlink(path("nothing"), path("dangling")).unwrap();
    let open =
        |path: PathBuf| LogFile::open(path, Rotate::default(), Disk).map_err(|e| e.to_string());
    for (path, what) in [
        (path("link"), "is a symbolic link"),
        (path("dangling"), "is a symbolic link"),
        (path(""), "is a folder"),
        (PathBuf::from("/dev/null"), "is a device"),
    ] {
        let fault = open(path).expect_err(what);
        assert!(fault.contains(what), "{fault}");
    }
    open(path("new")).unwrap();
    let mode = fs::metadata(path("new")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777 & !MODE, 0, "{mode:o}");
}
