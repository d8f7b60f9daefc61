//! How much a policy may contain.
//!
//! Loading takes bounded time and memory whatever the text says; exceeding a limit is an error that
//! names it, never a hang.

/// The most routes of a policy: more than twice what the largest known gateway lists.
pub const MAX_ROUTES: usize = 250_000;

/// The most guards, `under` conditions included, counted once for each API that they tighten.
pub const MAX_GUARDS: usize = 50_000;

/// The most atoms of one condition, `let`s written out: a reviewer reads a few, a generator may
/// write many, and each costs time at each decision.
pub const MAX_ATOMS: usize = 4_096;

/// The most atoms of a whole policy, `let`s written out: ten for each of 100,000 rules.
pub const MAX_POLICY_ATOMS: usize = 1_000_000;

/// How deep a condition may nest, `let`s written out: later stages walk it recursively.
pub const MAX_CONDITION_DEPTH: usize = 128;

/// The most members of a set: a list of suspended users, not a user directory.
pub const MAX_SET_MEMBERS: usize = 1_000_000;

/// The most members of all sets together, those of a file counted once however many sets name it:
/// each takes some 100 bytes while a policy is loaded.
pub const MAX_MEMBERS: usize = 2_000_000;

/// The most problems that are reported of one set file: a file in the wrong format is wrong in
/// each line.
pub const MAX_SET_PROBLEMS: usize = 3;

/// The largest leeway for an issuer's clock, in seconds (RFC 7519, section 4.1.4: "usually no
/// more than a few minutes"): beyond an hour, expiry means nothing.
pub const MAX_LEEWAY: u64 = 3_600;

/// The longest duration that a policy can speak of, in seconds: ten years. Longer ones are typos.
pub const MAX_DURATION: u64 = 10 * 366 * 86_400;

/// How many members deep a claim may be in the claims set.
pub const MAX_CLAIM_PATH: usize = 8;

/// The most segments of a path: a request's path is bounded, so a longer one never matches.
pub const MAX_SEGMENTS: usize = 64;

/// How many places the search for overlapping routes may look at, over a whole policy. Policies
/// of people need a few for each route; only one whose routes cross each other by the thousand
/// gets here.
pub const MAX_OVERLAP_STEPS: usize = 10_000_000;

/// What a route costs, in those steps, for each further set of APIs that it is looked at with: APIs
/// that share hosts are looked at together, and one of 10,000 routes may share a host with each of
/// 1,000 others.
pub const STEPS_OF_A_REPEATED_ROUTE: usize = 25;

/// How many cycles of `let`s are shown, and how many of the names in one.
pub const MAX_CYCLES_SHOWN: usize = 20;

/// How many overlaps of routes are shown; the last says how many more there are.
pub const MAX_OVERLAPS_SHOWN: usize = 100;

/// The longest host name, in characters (RFC 1035, section 2.3.4).
pub const MAX_HOST: usize = 253;

/// The most issuers whose tokens one API takes: a provider of software with a realm for each
/// customer has hundreds, and each is compared with a token's `iss`.
pub const MAX_ISSUERS_OF_API: usize = 1_024;

/// The most URLs that one issuer's keys are fetched from: each is asked on its own, and all their
/// keys may be tried on a token.
pub const MAX_KEY_URLS: usize = 16;

/// The most places in which one API looks for a token: each is looked at for each request.
pub const MAX_TOKEN_PLACES: usize = 16;

/// The most claims of a test's token: each pair is compared.
pub const MAX_TEST_CLAIMS: usize = 256;
