//! What a file's name says: whether it is a policy file, or nearly one.
//!
//! A name that was meant to be a policy file and is not would leave rules out without a word, so a
//! near miss is reported. Names are compared as they are: file systems that ignore case would make
//! one machine's policy another's.

/// How a policy file's name ends.
pub const SUFFIX: &str = ".gate";

/// How the name of a policy file ends that holds tests alone.
pub const TEST_SUFFIX: &str = ".test.gate";

/// What kind of file a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Name {
    /// `orders.gate`
    Policy,
    /// `orders.test.gate`
    Test,
    /// The same to a reader, and not to us: `orders.GATE`, or a blank behind the name.
    Misspelled,
    /// A copy that somebody or some program put aside (`orders.gate.bak`, `.orders.gate`), or a
    /// slip of the keyboard (`orders.gat`).
    Near,
    /// Skipped: it begins with a dot, as files of editors, git and mounted ConfigMaps do.
    Hidden,
    /// Nothing of ours.
    Other,
}

impl Name {
    /// What kind of file a name stands for.
    pub fn of(name: &str) -> Name {
        if let Some(rest) = name.strip_prefix('.') {
            // `.#orders.gate` is an editor's lock, `..data` a ConfigMap's.
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

    /// Whether a change of such a file can change what a load says.
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

/// Whether `.gate` stands within the name as a word: `x.gate.bak`, `x.gate~`, `#x.gate#`.
fn is_put_aside(lower: &str) -> bool {
    lower.match_indices(SUFFIX).any(|(at, found)| {
        lower
            .get(at + found.len()..)
            .and_then(|rest| rest.chars().next())
            .is_some_and(|next| !next.is_alphanumeric())
    })
}

/// Whether the ending is `gate` with one letter too many, too few, wrong, or two in each other's
/// place. Words that are endings of their own (`date`) would be reported too; a policy folder has
/// none.
fn is_slip(lower: &str) -> bool {
    lower
        .rsplit_once('.')
        .is_some_and(|(_, ending)| strsim::osa_distance(ending, "gate") == 1)
}

#[cfg(test)]
mod tests {
    use super::Name;

    #[test]
    fn a_name_is_ours_nearly_ours_or_not() {
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
