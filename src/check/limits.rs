//! Limits on the contents of a policy.
//!
//! Loading takes bounded time and memory, whatever the text. Exceeding a limit is an error that
//! names it, never a hang.

/// The maximum number of routes of an API: ten times as many as in the largest known gateway. A
/// million take about a gigabyte while they are loaded.
pub const MAX_ROUTES: usize = 1_000_000;

/// The maximum number of guards, including `under` conditions. A guard counts once for each of its
/// APIs.
pub const MAX_GUARDS: usize = 50_000;

/// The maximum number of atoms in one condition with its `let`s expanded. A reviewer reads a few, a
/// generator may write many, and each costs time at each decision.
pub const MAX_ATOMS: usize = 4_096;

/// The maximum number of atoms in a whole policy with its `let`s expanded: two for each of a million
/// rules, or twenty for each of 100,000. Each takes about 200 bytes.
pub const MAX_POLICY_ATOMS: usize = 2_000_000;

/// The maximum depth of a condition with its `let`s expanded. Later stages walk conditions
/// recursively.
pub const MAX_CONDITION_DEPTH: usize = 128;

/// The maximum number of members of a set: enough for a list of suspended users, but not for a user
/// directory.
pub const MAX_SET_MEMBERS: usize = 1_000_000;

/// The maximum number of members in all sets. The members of a file count once, however many sets
/// name it. Each takes about 100 bytes while a policy is loaded.
pub const MAX_MEMBERS: usize = 2_000_000;

/// How many errors are reported for one set file. A file in the wrong format has an error in each
/// line.
pub const MAX_SET_PROBLEMS: usize = 3;

/// The maximum leeway in seconds (RFC 7519, section 4.1.4: "usually no more than a few minutes").
/// Beyond an hour, expiry means nothing.
pub const MAX_LEEWAY: u64 = 3_600;

/// The longest duration in a policy, in seconds: ten years. Longer ones are typos.
pub const MAX_DURATION: u64 = 10 * 366 * 86_400;

/// The maximum number of member names in a claim's path.
pub const MAX_CLAIM_PATH: usize = 8;

/// The maximum number of segments of a path. A request's path is bounded, so a longer one never
/// matches.
pub const MAX_SEGMENTS: usize = 64;

/// The maximum number of steps in the search for overlapping routes of a policy. Typical policies
/// need a few for each route. Only a policy with thousands of crossing routes gets here.
pub const MAX_OVERLAP_STEPS: usize = 10_000_000;

/// The cost of a route, in those steps, for each further group of APIs. APIs that share hosts are
/// compared together, and an API of 10,000 routes may share a host with each of 1,000 others.
pub const STEPS_OF_A_REPEATED_ROUTE: usize = 25;

/// How many cycles of `let`s are shown, and how many names of each.
pub const MAX_CYCLES_SHOWN: usize = 20;

/// How many overlaps of routes are shown. The last one says how many more there are.
pub const MAX_OVERLAPS_SHOWN: usize = 100;

/// The maximum length of a host name, in characters (RFC 1035, section 2.3.4).
pub const MAX_HOST: usize = 253;

/// The maximum number of issuers of one API. A software vendor with a realm for each customer has
/// hundreds, and each is compared with a token's `iss`.
pub const MAX_ISSUERS_OF_API: usize = 1_024;

/// The maximum number of key URLs of one issuer. Each is fetched separately, and all their keys may
/// be tried on a token.
pub const MAX_KEY_URLS: usize = 16;

/// The maximum number of places in which one API looks for a token, since every request looks at
/// each.
pub const MAX_TOKEN_PLACES: usize = 16;

/// The maximum number of claims of a test's token, since each pair is compared.
pub const MAX_TEST_CLAIMS: usize = 256;
