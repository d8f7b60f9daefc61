//! Recognises policy files by their names, and names that are nearly right.
//!
//! A misspelled policy file would silently leave rules out, so a near miss is reported. Names are
//! compared exactly: on file systems that ignore case, one machine's policy would differ from
//! another's.

/// The suffix of a policy file.
pub const SUFFIX: &str = ".gate";

/// The suffix of a test file.
pub const TEST_SUFFIX: &str = ".test.gate";

/// The kind of file that a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Name {
    /// `orders.gate`
    Policy,
    /// `orders.test.gate`
    Test,
    /// The same to a reader, but not to us: `orders.GATE`, or a space after the name.
    Misspelled,
    /// A copy that a person or a program made (`orders.gate.bak`, `.orders.gate`), or a typo
    /// (`orders.gat`).
    Near,
    /// Skipped, because it begins with a dot, like files of editors, git and mounted ConfigMaps.
    Hidden,
    /// Any other file.
    Other,
}

impl Name {
    /// The kind of file that a name stands for.
    pub fn of(name: &str) -> Name {
        if let Some(rest) = name.strip_prefix('.') {
            // `.#orders.gate` is an editor's lock, `..data` a ConfigMap's link.
            let aside = rest.ends_with(SUFFIX) && !rest.starts_with(['.', '#']);
            return if aside { Name::Near } else { Name::Hidden };
        }
        if name.ends_with(TEST_SUFFIX) {
            return Name::Test;
        }
        if name.ends_with(SUFFIX) {
            return Name::Policy;
        }
        let lower = name.to_lowercase();
        let shown: String = lower.chars().filter(|c| is_visible(*c)).collect();
        if shown.trim_end_matches('.').ends_with(SUFFIX) {
            return Name::Misspelled;
        }
        if is_put_aside(&lower) || is_slip(&lower) {
            return Name::Near;
        }
        Name::Other
    }

    /// Whether a change of such a file can change a load's result.
    pub fn concerns(self) -> bool {
        match self {
            Name::Policy | Name::Test | Name::Misspelled | Name::Near => true,
            Name::Hidden | Name::Other => false,
        }
    }
}

fn is_visible(character: char) -> bool {
    !character.is_whitespace() && !crate::text::is_unshowable(character)
}

/// Whether `.gate` is a word in the name: `x.gate.bak`, `x.gate~`, `#x.gate#`.
fn is_put_aside(lower: &str) -> bool {
    lower.match_indices(SUFFIX).any(|(at, found)| {
        lower
            .get(at + found.len()..)
            .and_then(|rest| rest.chars().next())
            .is_some_and(|next| !next.is_alphanumeric())
    })
}

/// Whether the extension is `gate` with one letter too many, missing or wrong, or with two swapped.
/// Real extensions (`date`) would be reported too; a policy folder has none.
fn is_slip(lower: &str) -> bool {
    lower
        .rsplit_once('.')
        .is_some_and(|(_, ending)| strsim::osa_distance(ending, "gate") == 1)
}

#[cfg(test)]
mod tests {
    use super::Name;

    #[test]
    fn file_names_are_policies_near_misses_or_others() {
        let cases: [(Name, &[&str]); 6] = [
            (Name::Policy, &["a.gate", "a.b.gate", "a.tests.gate"]),
            (Name::Test, &["a.test.gate"]),
            (
                Name::Misspelled,
                &[
                    "a.GATE",
                    "a.Gate",
                    "a.gate ",
                    "a.gate.",
                    "a.gate\n",
                    "a.test.GATE",
                    "a.gate\u{200b}",
                    "a. gate",
                    "a.ga\u{ad}te",
                ],
            ),
            (
                Name::Near,
                &[
                    "a.gate.bak",
                    "a.gate~",
                    "a.GATE.orig",
                    "#a.gate#",
                    "a.gate.txt",
                    "a.gate (1)",
                    "a.gate.swp",
                    ".a.gate",
                    "a.gat",
                    "a.gates",
                    "a.gaet",
                ],
            ),
            (
                Name::Hidden,
                &[".git", "..data", ".#a.gate", ".a.gate.swp", "..2026_01"],
            ),
            (
                Name::Other,
                &[
                    "keys.json",
                    "revoked.txt",
                    "README.md",
                    "gate",
                    "agate",
                    "a.txt",
                    "a.yaml",
                ],
            ),
        ];
        for (kind, names) in cases {
            for name in names {
                assert_eq!(Name::of(name), kind, "{name:?}");
            }
        }
    }
}
