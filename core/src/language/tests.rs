//! What each table of translations has to be like.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::string::String;
use std::vec::Vec;

use super::{BadTag, ENGLISH, LANGUAGES, Language};

#[test]
fn tags() {
    let tag = |text: &str| Language::find(text.as_bytes()).map(Language::tag);
    for (text, expected) in [("en", "EN"), ("DE", "DE"), ("de-AT", "DE"), ("De-CH-1996", "DE")] {
        assert_eq!(tag(text), Ok(expected), "{text}");
    }
    for unknown in ["d", "deu", "qaa", "x-de", "i-klingon", "tlh-de"] {
        assert_eq!(tag(unknown), Err(BadTag::Unknown), "{unknown}");
    }
    for malformed in ["", "-", "de-", "-de", "d1", "de_AT", "de;en", "de en", "d\u{e9}", "*"] {
        assert_eq!(tag(malformed), Err(BadTag::Malformed), "{malformed}");
    }
    assert_eq!(tag("de-123456789"), Err(BadTag::Malformed));
}

#[test]
fn the_one_in_force_has_an_asterisk() {
    for language in LANGUAGES {
        let list = language.feature();
        assert!(list.starts_with("EN"), "{list}");
        let marked: Vec<_> = list.split(';').filter(|tag| tag.ends_with('*')).collect();
        assert_eq!(marked, [std::format!("{}*", language.tag)]);
    }
}

#[test]
fn tables_are_in_order() {
    for Language { tag, texts } in LANGUAGES {
        for pair in texts.windows(2) {
            assert!(pair[0].0 < pair[1].0, "{tag}: {:?} has to stand before this", pair[1].0);
        }
    }
}

#[test]
fn translations_have_the_same_placeholders() {
    for Language { tag, texts } in LANGUAGES {
        for (english, translation) in *texts {
            let count = |text: &str| text.matches("{}").count();
            assert_eq!(count(english), count(translation), "{tag}: {english:?}");
            assert!(!translation.is_empty() && !translation.contains(['\r', '\n']), "{english:?}");
        }
    }
}

#[test]
fn what_clients_read_stays_in_its_place() {
    for Language { tag, texts } in LANGUAGES {
        for (english, translation) in *texts {
            // RFC 959 Appendix II: the path comes first, and commentary after it.
            let path_first = |text: &str| text.starts_with("\"{}\"");
            assert_eq!(path_first(english), path_first(translation), "{tag}: {english:?}");
            // 227, 229 and the size in 150.
            for form in ["({})", "(|||{}|)", "({} "] {
                let has = |text: &str| text.contains(form);
                assert_eq!(has(english), has(translation), "{tag}: {english:?}");
            }
        }
    }
}

#[test]
fn no_translation_is_stale_and_none_is_missing() {
    let mut sources = Vec::new();
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/session"), &mut sources);
    let literals: BTreeSet<String> = sources.iter().flat_map(|source| literals(source)).collect();
    assert!(literals.contains("Command \"{}\" not understood."), "{literals:?}");
    let mut wrong = Vec::new();
    for language in LANGUAGES.iter().filter(|language| language.tag != ENGLISH.tag) {
        let keys: BTreeSet<&str> = language.texts.iter().map(|(english, _)| *english).collect();
        let stale = keys.iter().filter(|key| !literals.contains(**key));
        wrong.extend(stale.map(|key| std::format!("{}: never sent: {key:?}", language.tag)));
        let missing = literals.iter().filter(|text| is_sentence(text) && !keys.contains(&text[..]));
        wrong.extend(missing.map(|text| std::format!("{}: not there: {text:?}", language.tag)));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Tells texts of replies from other strings. Those that do not look like it, such as lines of
/// STAT, have to be in a transcript: `tests/languages.rs` sees them there.
fn is_sentence(text: &str) -> bool {
    text.ends_with(['.', ':']) && text.contains(|c: char| c.is_ascii_lowercase())
}

fn read(folder: &Path, sources: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read(&path, sources);
        } else {
            sources.push(fs::read_to_string(path).unwrap());
        }
    }
}

/// Returns the strings in a source file, but for its comments and tests.
fn literals(source: &str) -> Vec<String> {
    let code = source.split("#[cfg(test)]").next().unwrap_or_default().replace("b'\"'", "");
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    let code = lines.collect::<Vec<_>>().join("\n");
    let mut literals = Vec::new();
    let mut rest = code.chars();
    while rest.any(|c| c == '"') {
        let mut literal = String::new();
        loop {
            match rest.next().unwrap() {
                '"' => break,
                // A line that goes on in the next one.
                '\\' if rest.as_str().starts_with('\n') => {
                    rest = rest.as_str().trim_start().chars();
                }
                '\\' => literal.extend(rest.next()),
                c => literal.push(c),
            }
        }
        literals.push(literal);
    }
    literals
}
