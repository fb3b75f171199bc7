//! Rotation under a clock that the tests turn, and what others do to the file meanwhile.

use super::*;

const HOUR: Duration = Duration::from_secs(3_600);

/// A directory of a test's own, which ends with it.
struct Directory(PathBuf);

impl Directory {
    fn new(test: &str) -> Self {
        let name = format!("radiosonde-log-{test}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self) -> LogFile {
        LogFile::new(self.0.join("log"))
    }

    /// What is in the file, and in those put aside, the latest first.
    fn texts(&self) -> Vec<String> {
        let numbered = (1..).map(|number| self.0.join(format!("log.{number}")));
        std::iter::once(self.0.join("log"))
            .chain(numbered)
            .map_while(|path| fs::read_to_string(path).ok())
            .collect()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

fn at(hours: u32) -> SystemTime {
    UNIX_EPOCH + 500_000 * HOUR + hours * HOUR
}

fn write(file: &mut OpenFile, now: SystemTime, text: &str) -> Ready {
    let ready = file.prepare(now, text.len() as u64).unwrap();
    file.write_all(text.as_bytes()).unwrap();
    ready
}

#[test]
fn a_file_is_put_aside_before_it_becomes_too_large_and_so_many_are_kept() {
    let directory = Directory::new("size");
    let mut file = directory.file().bytes(10).keep(2).open(at(0)).unwrap();
    for text in ["aaaaa\n", "b\n", "cc\n", "dddddd\n", "eeeeeeeeeeeeeee\n", "f\n"] {
        write(&mut file, at(0), text);
    }
    let expected = ["f\n", "eeeeeeeeeeeeeee\n", "cc\ndddddd\n"];
    assert_eq!(
        directory.texts(),
        expected,
        "the oldest is gone, a long line has a file of its own"
    );
}

#[test]
fn the_room_is_what_is_left_and_never_less_than_one_line() {
    let directory = Directory::new("room");
    let mut file = directory.file().bytes(10).open(at(0)).unwrap();
    assert_eq!(write(&mut file, at(0), "123456\n").room, 10);
    assert_eq!(file.prepare(at(0), 3).unwrap().room, 3);
    assert_eq!(file.prepare(at(0), 20).unwrap().room, 20);
}

#[test]
fn a_file_is_put_aside_when_a_multiple_of_its_time_has_passed() {
    let directory = Directory::new("time");
    let mut file = directory.file().every(24 * HOUR).open(at(0)).unwrap();
    // 500,000 hours are 20,833 days and 8 hours.
    for (hours, text) in [(0, "a"), (15, "b"), (16, "c"), (39, "d"), (40 + 48, "e"), (17, "f")] {
        write(&mut file, at(hours), text);
    }
    assert_eq!(directory.texts(), ["ef", "cd", "ab"], "a clock that goes back rotates nothing");
}

#[test]
fn a_process_goes_on_with_the_file_of_the_one_before_it() {
    let directory = Directory::new("restart");
    let settings = directory.file().every(24 * HOUR).bytes(10);
    write(&mut settings.clone().open(at(0)).unwrap(), at(0), "before\n");
    let begun = File::options().append(true).open(settings.path()).unwrap();
    begun.set_modified(at(0)).unwrap();
    let mut file = settings.clone().open(at(1)).unwrap();
    write(&mut file, at(1), "so\n");
    assert_eq!(directory.texts(), ["before\nso\n"]);
    begun.set_modified(at(1)).unwrap();
    let mut file = settings.open(at(30)).unwrap();
    write(&mut file, at(30), "\n");
    assert_eq!(directory.texts(), ["\n", "before\nso\n"], "it was begun on the day before");
}

#[test]
fn with_none_to_keep_the_file_begins_anew() {
    let directory = Directory::new("none");
    let mut file = directory.file().bytes(5).keep(0).open(at(0)).unwrap();
    write(&mut file, at(0), "aaaa\n");
    write(&mut file, at(0), "b\n");
    assert_eq!(directory.texts(), ["b\n"]);
}

#[test]
fn a_file_that_somebody_else_moved_or_removed_is_made_again() {
    let directory = Directory::new("moved");
    let mut file = directory.file().open(at(0)).unwrap();
    write(&mut file, at(0), "a");
    fs::rename(directory.0.join("log"), directory.0.join("moved")).unwrap();
    write(&mut file, at(0), "b");
    assert_eq!(directory.texts(), ["b"]);
    fs::remove_file(directory.0.join("log")).unwrap();
    write(&mut file, at(0), "c");
    assert_eq!(directory.texts(), ["c"]);
    fs::remove_dir_all(&directory.0).unwrap();
    assert!(file.prepare(at(0), 1).is_err());
    fs::create_dir_all(&directory.0).unwrap();
    write(&mut file, at(0), "d");
    assert_eq!(directory.texts(), ["d"], "it works again when the directory is there again");
}

#[test]
fn of_two_writers_one_rotates_and_the_other_follows() {
    let directory = Directory::new("two");
    let settings = directory.file().bytes(10);
    let [mut one, mut other] = [(); 2].map(|()| settings.clone().open(at(0)).unwrap());
    write(&mut one, at(0), "1111\n");
    write(&mut other, at(0), "2222\n");
    assert!(matches!(write(&mut one, at(0), "3\n").rotated, Some(Ok(()))));
    assert!(write(&mut other, at(0), "4\n").rotated.is_none());
    assert_eq!(directory.texts(), ["3\n4\n", "1111\n2222\n"]);
}

#[test]
fn a_file_that_another_is_about_to_rotate_is_written_on() {
    let directory = Directory::new("locked");
    let mut file = directory.file().bytes(5).open(at(0)).unwrap();
    write(&mut file, at(0), "aaaa\n");
    let other = File::open(directory.0.join("log")).unwrap();
    fs4::FileExt::try_lock(&other).unwrap();
    assert!(write(&mut file, at(0), "b\n").rotated.is_none());
    assert_eq!(directory.texts(), ["aaaa\nb\n"]);
    fs4::FileExt::unlock(&other).unwrap();
    assert!(matches!(write(&mut file, at(0), "c\n").rotated, Some(Ok(()))));
}

#[test]
fn a_rotation_that_fails_costs_nothing_and_is_tried_again_later() {
    let directory = Directory::new("failing");
    let in_the_way = directory.0.join("log.1");
    fs::create_dir_all(in_the_way.join("not empty")).unwrap();
    let mut file = directory.file().bytes(5).keep(1).open(at(0)).unwrap();
    write(&mut file, at(0), "aaaa\n");
    assert!(matches!(write(&mut file, at(0), "b\n").rotated, Some(Err(_))));
    assert!(write(&mut file, at(0), "c\n").rotated.is_none(), "not at once");
    assert_eq!(fs::read_to_string(directory.0.join("log")).unwrap(), "aaaa\nb\nc\n");
    fs::remove_dir_all(&in_the_way).unwrap();
    assert!(matches!(write(&mut file, at(0) + PATIENCE, "d\n").rotated, Some(Ok(()))));
    assert_eq!(directory.texts(), ["d\n", "aaaa\nb\nc\n"]);
}

#[cfg(unix)]
#[test]
fn what_is_no_file_is_never_rotated() {
    let directory = Directory::new("no-file");
    std::os::unix::fs::symlink("/dev/null", directory.0.join("log")).unwrap();
    let mut file = directory.file().bytes(1).every(HOUR).open(at(0)).unwrap();
    for hours in 0..3 {
        assert!(write(&mut file, at(hours), "aaaa\n").rotated.is_none());
    }
}
