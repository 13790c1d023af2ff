//! The options of LIST, NLST and STAT: those of `ls`.

use crate::listing::{Order, SortKey};

/// What the options ask for; those that mean nothing here change nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Options {
    /// `-l` (`true`) or `-1` (`false`), whichever comes last: lines as those of `ls -l`, or names.
    pub(super) long: Option<bool>,
    /// `-a`, and no `-A` after it: the entries `.` and `..`, too.
    pub(super) all: bool,
    /// `-d`: the entry itself, not what is in it.
    pub(super) itself: bool,
    /// `-L`: what a link leads to, not the link.
    pub(super) follow_links: bool,
    /// `-t` or `-S`, whichever comes last, and `-r`.
    pub(super) order: Order,
    /// `-R`: what is in the directories within, too.
    pub(super) recursive: bool,
}

impl Options {
    /// Takes the options off an argument. `--` ends them, so that what begins with a dash can be
    /// named.
    pub(super) fn split(argument: &[u8]) -> (Self, &[u8]) {
        let mut rest = argument;
        let mut options = Self::default();
        while rest.len() > 1 && rest[0] == b'-' {
            let end = memchr::memchr(b' ', rest).unwrap_or(rest.len());
            let letters = &rest[1..end];
            rest = rest.get(end + 1..).unwrap_or_default();
            if letters == b"-" {
                break;
            }
            // A long option is none that is known.
            if letters.first() != Some(&b'-') {
                letters.iter().for_each(|&letter| options.take(letter));
            }
            rest = rest.trim_ascii_start();
        }
        (options, rest)
    }

    fn take(&mut self, letter: u8) {
        match letter {
            b'l' => self.long = Some(true),
            b'1' => self.long = Some(false),
            b'a' => self.all = true,
            b'A' => self.all = false,
            b'd' => self.itself = true,
            b'L' => self.follow_links = true,
            b't' => self.order.key = SortKey::Modified,
            b'S' => self.order.key = SortKey::Size,
            b'r' => self.order.reversed = true,
            b'R' => self.recursive = true,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &'static str) -> (Options, &'static str) {
        let (options, rest) = Options::split(text.as_bytes());
        (options, core::str::from_utf8(rest).unwrap())
    }

    #[test]
    fn options_are_told_from_names() {
        let none = Options::default();
        let all = Options { all: true, ..none };
        let long = Options { long: Some(true), ..none };
        assert_eq!(split(""), (none, ""));
        assert_eq!(split("-la"), (Options { all: true, ..long }, ""));
        assert_eq!(split("-l  -A my dir"), (long, "my dir"));
        assert_eq!(split("-a -- -x"), (all, "-x"));
        assert_eq!(split("-a --"), (all, ""));
        assert_eq!(split("-d x -l"), (Options { itself: true, ..none }, "x -l"));
        assert_eq!(split("./-x"), (none, "./-x"));
        assert_eq!(split("-"), (none, "-"));
        assert_eq!(split(" x"), (none, " x"));
    }

    #[test]
    fn letters_mean_what_they_mean_to_ls() {
        let none = Options::default();
        let by = |key, reversed| Options { order: Order { key, reversed }, ..none };
        assert_eq!(split("-t"), (by(SortKey::Modified, false), ""));
        assert_eq!(split("-S -r"), (by(SortKey::Size, true), ""));
        assert_eq!(split("-tS"), (by(SortKey::Size, false), ""));
        assert_eq!(split("-St"), (by(SortKey::Modified, false), ""));
        assert_eq!(split("-r"), (by(SortKey::Storage, true), ""));
        assert_eq!(split("-1l"), (Options { long: Some(true), ..none }, ""));
        assert_eq!(split("-l1"), (Options { long: Some(false), ..none }, ""));
        assert_eq!(split("-aA"), (none, ""));
        assert_eq!(split("-RL"), (Options { recursive: true, follow_links: true, ..none }, ""));
        assert_eq!(split("-FhnU0é --sort=time --all x"), (none, "x"));
    }
}
