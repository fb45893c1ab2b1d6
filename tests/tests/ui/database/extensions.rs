diptych::database! {
    pub struct Shop {
        migrations: "tests/tests/ui/snapshots/extensions",
        extensions: [
            "",
            "citext",
            "citext",
            "hstore",
            "an_extension_whose_name_is_longer_than_the_server_keeps_names_of_it",
        ],
        dropped: ["hstore"],
    }
}

fn main() {}
