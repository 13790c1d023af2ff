//! Settings that are one word on a command line or in a file.

use core::error::Error;
use core::fmt;
use core::str::FromStr;

use crate::config::OnHangup;
use crate::tls::{Resumption, TlsRequired, UploadEnd};

/// A text that is none of the words for a setting.
///
/// Shown, it says which are: `off, prefer or require is wanted`; by `{:#}` with quotation marks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownWord {
    words: &'static [&'static str],
}

impl fmt::Display for UnknownWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let last = self.words.len() - 1;
        for (index, word) in self.words.iter().enumerate() {
            f.write_str(match index {
                0 => "",
                _ if index == last => " or ",
                _ => ", ",
            })?;
            if f.alternate() { write!(f, "{word:?}")? } else { f.write_str(word)? }
        }
        f.write_str(" is wanted")
    }
}

impl Error for UnknownWord {}

macro_rules! words {
    ($setting:ident: $($word:literal = $value:ident),+) => {
        impl FromStr for $setting {
            type Err = UnknownWord;

            fn from_str(text: &str) -> Result<Self, UnknownWord> {
                match text {
                    $($word => Ok(Self::$value),)+
                    _ => Err(UnknownWord { words: &[$($word),+] }),
                }
            }
        }

        impl fmt::Display for $setting {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(match self { $(Self::$value => $word),+ })
            }
        }
    };
}

words!(OnHangup: "keep" = Keep, "publish" = Publish);
words!(TlsRequired: "none" = None, "login" = Login, "data" = Data, "all" = All);
words!(Resumption: "off" = Off, "prefer" = Prefer, "require" = Require);
words!(UploadEnd: "strict" = Strict, "lenient" = Lenient);

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn words_are_read_and_shown() {
        assert_eq!("data".parse(), Ok(TlsRequired::Data));
        assert_eq!(Resumption::default().to_string(), "prefer");
        let error = "Off".parse::<Resumption>().unwrap_err();
        assert_eq!(error.to_string(), "off, prefer or require is wanted");
        let error = "".parse::<UploadEnd>().unwrap_err();
        assert_eq!(format!("{error:#}"), "\"strict\" or \"lenient\" is wanted");
    }
}
