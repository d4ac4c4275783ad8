//! Inputs that are meant to be too much.
