//! Bad input by the thousand: nothing panics, hangs or is taken in silence.
//!
//! A run in CI has fixed seeds and few cases; `PROPTEST_CASES` asks for more of them, from other seeds each time.

mod corpus;
mod identifiers;
mod lexer;
mod migrations;
mod mutation;
mod schemas;
mod snapshots;

use proptest::test_runner::{Config, RngSeed};

/// What a property is run with: `cases` of the same seed, or as many new ones as the environment asks for.
fn config(cases: u32) -> Config {
    let config = Config { failure_persistence: None, max_shrink_iters: 2000, ..Config::default() };
    match std::env::var_os("PROPTEST_CASES") {
        Some(_) => config,
        None => Config { cases, rng_seed: RngSeed::Fixed(0x6469_7074_7963_6821), ..config },
    }
}
