//! The list of tools as an agent sees it, and rules that every tool keeps.
