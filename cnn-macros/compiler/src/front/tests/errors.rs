//! One mistake each: where it is marked, and what the user reads.
