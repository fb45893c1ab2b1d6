//! Who puts a session on its version.

/// Who sets the `search_path` of an app's sessions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Placement {
    /// The app, in the startup options.
    #[default]
    Options,
    /// The server, by a setting of the role: a pooler passes no startup options on (`pooler=true` in the URL).
    Role,
}
